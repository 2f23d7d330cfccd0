import { type Duration, parseDuration } from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import {
	type Check,
	callable,
	checkOptions,
	integer,
	type OptionTable,
} from "../../checks/option-table.ts";
import { outsideCalls } from "../../client/channel/outside-calls.ts";
import type {
	Instance,
	Registration,
	Registry,
} from "../../discovery/registry.ts";
import {
	bracketed,
	formatHostPort,
	parseHostPort,
} from "../../discovery/targets/host-port.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import { guarded } from "../../policy/guarded.ts";
import { ownAddress } from "../own-address.ts";
import { EtcdClient } from "./etcd-client.ts";
import { DEFAULT_WEIGHT, formatInstance } from "./instance-value.ts";
import { LeasedKey } from "./leased-key.ts";
import {
	type EtcdOptions,
	type EtcdSetting,
	etcdOptions,
	keyPrefix,
	settleEtcd,
} from "./options.ts";
import type { EtcdDependencies } from "./resolver.ts";

export interface EtcdRegistryOptions extends EtcdOptions {
	/** The key under which services are, without the slash at its end. Default: "kitex/registry-etcd", where Kitex looks. */
	prefix?: string | undefined;
	/**
	 * How long an instance that has died without a word stays: milliseconds, or "60s"; 2 s or more, in whole seconds.
	 * Default: 60 s.
	 */
	ttl?: Duration | undefined;
	/** Told of what goes wrong while a server is registered, and is tried again: etcd cannot be reached, another process has the same key. */
	onError?: ((error: Error) => void) | undefined;
}

const ttl: Check<bigint> = (value, where) => {
	const seconds = Math.ceil(parseDuration(value, where) / 1000);
	if (seconds >= 2) return BigInt(seconds);
	throw new OptionError(
		where,
		`${shown(value)} is less than 2 s, the least that etcd takes`,
	);
};

const table: OptionTable<EtcdRegistryOptions> = {
	...etcdOptions,
	prefix: keyPrefix,
	ttl,
	onError: callable,
};

/**
 * Makes servers known in etcd, in the layout of Kitex's registry-etcd: the key is
 * `PREFIX/NAME/HOST:PORT` (or `PREFIX/NAME/ID`, for an instance with an id), the
 * value `{"network":"tcp","address":"HOST:PORT","weight":10,"tags":{…}}`, whose
 * tags are the instance's attributes, its zone as "zone", and its tags, "k:v" as
 * "k": "v". The host is by default the first address of this machine that others
 * may reach.
 *
 * The key lives under a lease, which is kept alive three times in its time, so
 * that a server that is killed is gone when it ends. `setServing(false)` takes
 * the key out and keeps the lease; disposing a registration revokes it, in 2 s at
 * most. Registering fails with DiscoveryError: "unreachable", "forbidden".
 *
 * @throws OptionError for bad options
 */
export function etcdRegistry(
	options: EtcdRegistryOptions = {},
	dependencies: EtcdDependencies = {},
): Registry {
	checkOptions(options, table);
	return new EtcdRegistry({
		etcd: settleEtcd(options),
		prefix: keyPrefix(options.prefix ?? "kitex/registry-etcd", "prefix"),
		ttlSeconds: ttl(options.ttl ?? "60s", "ttl"),
		onError: guarded(options.onError ?? (() => {}), "onError of etcdRegistry"),
		clock: dependencies.clock ?? systemClock,
		random: dependencies.random ?? Math.random,
	});
}

interface RegistrySetting {
	readonly etcd: EtcdSetting;
	readonly prefix: string;
	readonly ttlSeconds: bigint;
	readonly onError: (error: Error) => void;
	readonly clock: Clock;
	readonly random: () => number;
}

class EtcdRegistry implements Registry {
	readonly #setting: RegistrySetting;
	/** Of all registrations that there are now. */
	#client: EtcdClient | undefined;
	#registrations = 0;

	constructor(setting: RegistrySetting) {
		this.#setting = setting;
	}

	register(instance: Instance, signal: AbortSignal): Promise<Registration> {
		return outsideCalls(() => this.#register(instance, signal));
	}

	async #register(
		instance: Instance,
		signal: AbortSignal,
	): Promise<Registration> {
		const { prefix, onError, ...setting } = this.#setting;
		const { address, id, value } = written(instance);
		const key = new LeasedKey({
			...setting,
			client: this.#enter(),
			key: `${prefix}/${instance.name}/${id}`,
			value,
			name: `${instance.name} at ${address}`,
			report: onError,
		});
		// Who waits for a registration to be made keeps the process alive.
		const awake = setting.clock.after(AWAKE_MS, () => {});
		try {
			await key.start(signal);
		} catch (error) {
			void key.stop().finally(() => this.#leave());
			throw error;
		} finally {
			setting.clock.cancel(awake);
		}
		return this.#registration(key);
	}

	#registration(key: LeasedKey): Registration {
		let stopped: Promise<void> | undefined;
		return {
			setServing: (serving) =>
				stopped === undefined ? key.want(serving) : Promise.resolve(),
			[Symbol.asyncDispose]: () => {
				stopped ??= key.stop().finally(() => this.#leave());
				return stopped;
			},
		};
	}

	#enter(): EtcdClient {
		this.#registrations += 1;
		this.#client ??= new EtcdClient(this.#setting.etcd);
		return this.#client;
	}

	#leave(): void {
		this.#registrations -= 1;
		if (this.#registrations > 0) return;
		void this.#client?.close();
		this.#client = undefined;
	}
}

/** Longer than a registration takes, however it ends. */
const AWAKE_MS = 60_000;

/** What etcd is told of an instance. */
function written(instance: Instance): {
	address: string;
	id: string;
	value: string;
} {
	const { name, host = ownAddress(), port, zone } = instance;
	const address = formatHostPort(
		parseHostPort(
			`${host.startsWith("[") ? host : bracketed(host)}:${port}`,
			"instance.host",
		),
	);
	const { id = address } = instance;
	segment(name, "instance.name");
	segment(id, "instance.id");
	return {
		address,
		id,
		value: formatInstance({
			address,
			// Kitex reads no other numbers, and takes 0 for its default.
			weight: weight(instance.weight ?? DEFAULT_WEIGHT, "instance.weight"),
			zone,
			attributes: { ...labels(instance.tags), ...instance.attributes },
		}),
	};
}

const weight = integer(1);

/** What stands between two slashes of a key. */
const segment: Check<string> = (value, where) => {
	if (typeof value === "string" && /^[^/]+$/.test(value)) return value;
	throw new OptionError(
		where,
		`${shown(value)} cannot be part of a key in etcd; write a text without a slash`,
	);
};

/** "k:v" as k: "v", and "k" as k: "". */
function labels(tags: readonly string[] = []): Record<string, string> {
	return Object.fromEntries(
		tags.map((tag) => {
			const [, key = "", value = ""] = /^([^:]*):?(.*)$/s.exec(tag) ?? [];
			return [key, value];
		}),
	);
}
