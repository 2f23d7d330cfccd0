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
import { formatHostPort } from "../../discovery/targets/host-port.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import { guarded } from "../../policy/guarded.ts";
import { keepingAlive } from "../keeping-alive.ts";
import { instanceHostPort } from "../own-address.ts";
import { EtcdClient } from "./etcd-client.ts";
import { DEFAULT_WEIGHT, formatInstance } from "./instance-value.ts";
import { LeasedKey } from "./leased-key.ts";
import {
	type EtcdOptions,
	type EtcdSetting,
	etcdOptions,
	etcdSetting,
	keyPrefix,
} from "./options.ts";
import type { EtcdDependencies } from "./resolver.ts";

/** The options of `etcdRegistry`. */
export interface EtcdRegistryOptions extends EtcdOptions {
	/** The prefix of the keys of all services. Default: "kitex/registry-etcd", which Kitex uses. */
	prefix?: string | undefined;
	/**
	 * The TTL of the lease: how long an instance stays after its server has died without deregistering: milliseconds, or
	 * "60s"; at least 2 s, rounded up to whole seconds. Default: 60 s.
	 */
	ttl?: Duration | undefined;
	/**
	 * Called with errors while a server is registered: etcd cannot be reached, or another process has the same key. The
	 * registry tries again by itself. Default: none.
	 */
	onError?: ((error: Error) => void) | undefined;
}

const ttl: Check<bigint> = (value, where) => {
	const seconds = Math.ceil(parseDuration(value, where) / 1000);
	if (seconds >= 2) return BigInt(seconds);
	throw new OptionError(
		where,
		`${shown(value)} is less than 2 s, the least that etcd accepts`,
	);
};

const table: OptionTable<EtcdRegistryOptions> = {
	...etcdOptions,
	prefix: keyPrefix,
	ttl,
	onError: callable,
};

/**
 * Makes a registry that registers servers in etcd, in the format of Kitex's
 * registry-etcd. The key is `PREFIX/NAME/HOST:PORT`, or `PREFIX/NAME/ID` for an
 * instance with an id. The value is
 * `{"network":"tcp","address":"HOST:PORT","weight":10,"tags":{…}}`. Its tags are
 * the instance's attributes, its zone as "zone", and its tags, where "k:v" becomes
 * "k": "v". The default host is the first address of this machine that others can
 * reach.
 *
 * The key is under a lease that is renewed three times per TTL, so that the key of
 * a killed server is deleted when the TTL has passed. `setServing(false)` deletes
 * the key and keeps the lease. Disposing a registration revokes the lease, in at
 * most 2 s. `register` rejects with a DiscoveryError ("unreachable" or
 * "forbidden").
 *
 * @throws OptionError for invalid options
 */
export function etcdRegistry(
	options: EtcdRegistryOptions = {},
	dependencies: EtcdDependencies = {},
): Registry {
	checkOptions(options, table);
	return new EtcdRegistry({
		etcd: etcdSetting(options),
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
	/** The client that all current registrations share; undefined while there are none. */
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
		try {
			await keepingAlive(setting.clock, () => key.start(signal));
		} catch (error) {
			void key.stop().finally(() => this.#leave());
			throw error;
		}
		return this.#registration(key);
	}

	#registration(key: LeasedKey): Registration {
		let stopped: Promise<void> | undefined;
		return {
			setServing: (serving) =>
				stopped === undefined ? key.setWanted(serving) : Promise.resolve(),
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

/** Checks an instance, and formats its value. */
function written(instance: Instance): {
	address: string;
	id: string;
	value: string;
} {
	const { name, zone } = instance;
	const address = formatHostPort(instanceHostPort(instance));
	const { id = address } = instance;
	segment(name, "instance.name");
	segment(id, "instance.id");
	return {
		address,
		id,
		value: formatInstance({
			address,
			// Kitex reads only whole numbers, and takes 0 as its default weight.
			weight: weight(instance.weight ?? DEFAULT_WEIGHT, "instance.weight"),
			zone,
			attributes: { ...labels(instance.tags), ...instance.attributes },
		}),
	};
}

const weight = integer(1);

/** Accepts a part of a key: a text without slashes. */
const segment: Check<string> = (value, where) => {
	if (typeof value === "string" && /^[^/]+$/.test(value)) return value;
	throw new OptionError(
		where,
		`${shown(value)} cannot be part of a key in etcd; write a string that is not empty and has no slash`,
	);
};

/** Converts tags to attributes: "k:v" to k: "v", and "k" to k: "". */
function labels(tags: readonly string[] = []): Record<string, string> {
	return Object.fromEntries(
		tags.map((tag) => {
			const [, key = "", value = ""] = /^([^:]*):?(.*)$/s.exec(tag) ?? [];
			return [key, value];
		}),
	);
}
