import {
	checkOptions,
	type OptionTable,
	text,
} from "../../checks/option-table.ts";
import type {
	Endpoint,
	Resolution,
	ResolveContext,
	Resolver,
} from "../../discovery/resolver.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { type FollowedService, resolutionsOf } from "../followed-service.ts";
import { WatchedConfig } from "../watched-config.ts";
import { EtcdClient } from "./etcd-client.ts";
import type { KeyValue } from "./gen/etcd/kv_pb.ts";
import { Event_EventType } from "./gen/etcd/kv_pb.ts";
import { readInstance } from "./instance-value.ts";
import { KeyFeed, type KeyFeedSetting } from "./key-feed.ts";
import { keysUnder, keyText, oneKey } from "./key-range.ts";
import {
	type EtcdOptions,
	type EtcdSetting,
	etcdOptions,
	etcdSetting,
	keyPrefix,
} from "./options.ts";

/** The options of `etcdResolver`. */
export interface EtcdResolverOptions extends EtcdOptions {
	/** The prefix of the instances' keys, such as "services/payment". Kitex uses "kitex/registry-etcd/NAME". */
	prefix: string;
	/** A key that holds a service config as JSON. It is watched for changes. Default: none. */
	config?: string | undefined;
}

/** What tests replace. Default: the system's clock and Math.random. */
export interface EtcdDependencies {
	readonly clock?: Clock | undefined;
	readonly random?: (() => number) | undefined;
}

const table: OptionTable<EtcdResolverOptions> = {
	...etcdOptions,
	prefix: { required: keyPrefix },
	config: text,
};

/**
 * Makes a resolver for the instances whose keys are under a prefix. It lists the
 * keys once and then watches them. A value has the format of Kitex's
 * registry-etcd, the format of etcd's own naming package, or is a bare
 * "host:port". An invalid value is left out and reported to the hook `resolved`
 * with its key. An instance with a weight of 0 or less gets no calls.
 *
 * While etcd cannot be reached, the last state stays in use. After a watch has
 * broken, a new one continues at the same revision, with another member if there
 * is one.
 *
 * The watch, and calls while there are no endpoints, fail with a DiscoveryError:
 * "unreachable", "forbidden", "unknownService" (there are no keys under the
 * prefix) or "noHealthyInstance" (no instance can take calls).
 *
 * @throws OptionError for invalid options
 */
export function etcdResolver(
	options: EtcdResolverOptions,
	dependencies: EtcdDependencies = {},
): Resolver {
	checkOptions(options, table);
	const setting: ResolverSetting = {
		etcd: etcdSetting(options),
		prefix: keyPrefix(options.prefix, "prefix"),
		configKey: options.config,
		config: new WatchedConfig(`the key ${options.config} of etcd`),
		clock: dependencies.clock ?? systemClock,
		random: dependencies.random ?? Math.random,
	};
	return {
		watch: (context) =>
			resolutionsOf(
				new WatchedService(setting, context),
				context.signal,
				setting.clock,
			),
	};
}

interface ResolverSetting {
	readonly etcd: EtcdSetting;
	readonly prefix: string;
	readonly configKey: string | undefined;
	/** Kept from one watch to the next. */
	readonly config: WatchedConfig;
	readonly clock: Clock;
	readonly random: () => number;
}

/** The service, as one watch follows it. */
class WatchedService implements FollowedService {
	readonly #setting: ResolverSetting;
	readonly #context: ResolveContext;
	readonly #client: EtcdClient;
	readonly #instances: KeyFeed;
	readonly #config: KeyFeed | undefined;
	/** Endpoints by key; undefined for an instance that gets no calls. */
	readonly #endpoints = new Map<string, Endpoint | undefined>();
	#changed: () => void = () => {};

	constructor(setting: ResolverSetting, context: ResolveContext) {
		const { etcd, prefix, configKey } = setting;
		this.#setting = setting;
		this.#context = context;
		this.#client = new EtcdClient(etcd);
		this.#instances = this.#feed({
			range: keysUnder(prefix),
			name: `${prefix}/`,
			all: (kvs) => {
				this.#endpoints.clear();
				for (const kv of kvs) this.#put(kv);
			},
			event: (type, kv) => {
				if (type === Event_EventType.PUT) this.#put(kv);
				else this.#endpoints.delete(keyText(kv.key));
			},
		});
		this.#config =
			configKey === undefined
				? undefined
				: this.#feed({
						range: oneKey(configKey),
						name: configKey,
						all: ([kv]) => this.#configure(kv),
						event: (type, kv) =>
							this.#configure(type === Event_EventType.PUT ? kv : undefined),
					});
	}

	onChange(changed: () => void): () => void {
		this.#changed = changed;
		return () => {
			this.#instances.stop();
			this.#config?.stop();
			void this.#client.close();
		};
	}

	/** Waits for the loss of a connection, and then tries sooner: etcd may be reachable again, too. */
	async connectionLost(): Promise<void> {
		await this.#context.refresh();
		this.#instances.hurry();
		this.#config?.hurry();
	}

	start(): Promise<unknown> {
		return Promise.all([this.#instances.start(), this.#config?.startAnyway()]);
	}

	resolve(): Resolution {
		const byAddress = new Map(
			[...this.#endpoints.values()]
				.filter((endpoint) => endpoint !== undefined)
				.map((endpoint) => [endpoint.address, endpoint]),
		);
		const { current } = this.#setting.config;
		return {
			endpoints: [...byAddress.values()],
			...(byAddress.size === 0 && { reason: this.#whyNoEndpoint() }),
			...(current && { serviceConfig: current }),
		};
	}

	#feed({
		event,
		all,
		...keys
	}: Pick<KeyFeedSetting, "range" | "name" | "all"> & {
		event(type: Event_EventType, kv: KeyValue): void;
	}): KeyFeed {
		const { clock, random } = this.#setting;
		return new KeyFeed({
			...keys,
			client: this.#client,
			clock,
			random,
			report: (error) => this.#context.report?.(error),
			all: (kvs) => {
				all(kvs);
				this.#changed();
			},
			changed: (events) => {
				for (const { type, kv } of events) if (kv) event(type, kv);
				this.#changed();
			},
		});
	}

	#put({ key, value }: KeyValue): void {
		const { configKey } = this.#setting;
		const name = keyText(key);
		if (name === configKey) return;
		this.#endpoints.set(name, undefined);
		try {
			this.#endpoints.set(name, readInstance(keyText(value), name));
		} catch (error) {
			this.#context.report?.(
				new DiscoveryError(
					"badAnswer",
					`an instance in etcd is invalid and left out: ${(error as Error).message}`,
					error,
				),
			);
		}
	}

	#configure(kv: KeyValue | undefined): void {
		try {
			this.#setting.config.read(kv && keyText(kv.value));
		} catch (error) {
			this.#context.report?.(error as Error);
		}
	}

	#whyNoEndpoint(): DiscoveryError {
		const { prefix, etcd } = this.#setting;
		const where = `under ${prefix}/ in etcd at ${etcd.hosts.join(", ")}`;
		const count = this.#endpoints.size;
		return count === 0
			? new DiscoveryError("unknownService", `there are no keys ${where}`)
			: new DiscoveryError(
					"noHealthyInstance",
					`none of the ${count} instances ${where} can take calls: their weights are 0, or their values are invalid`,
				);
	}
}
