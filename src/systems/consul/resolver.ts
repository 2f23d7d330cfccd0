import { shown } from "../../checks/option-error.ts";
import {
	checkOptions,
	type OptionTable,
	oneOf,
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
import type { ApiAnswer } from "../http-api.ts";
import { WatchedConfig } from "../watched-config.ts";
import { type AgentRequest, ConsulAgent } from "./agent.ts";
import {
	type AgentSetting,
	agentOptions,
	agentSetting,
	type ConsulAgentOptions,
} from "./agent-options.ts";
import { readHealth } from "./health-entries.ts";
import { IndexedQuery } from "./indexed-query.ts";
import { readKey } from "./key-value.ts";
import { consulName } from "./name.ts";
import { QueryFeed } from "./query-feed.ts";
import { whyNoEndpoint } from "./why-no-endpoint.ts";

/** The options of `consulResolver`. */
export interface ConsulResolverOptions extends ConsulAgentOptions {
	/** The name of the service. */
	service: string;
	/** The datacenter to query. Default: the agent's datacenter. */
	datacenter?: string | undefined;
	/**
	 * An expression that instances must match, such as `"v2" in Service.Tags`
	 * (https://developer.hashicorp.com/consul/api-docs/features/filtering). Default: all instances.
	 */
	filter?: string | undefined;
	/**
	 * The node from which round-trip times are measured, or "_agent" for the agent's own node: the nearest instances come
	 * first. Only balancers that use the order of endpoints, such as pick_first, take it into account. Default: no order.
	 */
	near?: string | undefined;
	/**
	 * Which of Consul's servers may answer. "default": the leader. "stale": any server, with data that may be old.
	 * "consistent": the leader, after it has confirmed with the other servers that it is still the leader. Default:
	 * "default".
	 */
	consistency?: "default" | "stale" | "consistent" | undefined;
	/** A key in Consul's KV store that holds a service config as JSON. It is watched for changes. Default: none. */
	config?: string | undefined;
}

/** What tests replace. Default: the system's clock, Math.random and process.env. */
export interface ConsulDependencies {
	readonly clock?: Clock | undefined;
	readonly random?: (() => number) | undefined;
	readonly environment?: Readonly<Record<string, string | undefined>>;
}

const table: OptionTable<ConsulResolverOptions> = {
	...agentOptions,
	service: { required: consulName },
	datacenter: text,
	filter: text,
	near: text,
	consistency: oneOf("default", "stale", "consistent"),
	config: consulName,
};

/**
 * Makes a resolver for the healthy instances of a service in Consul: those whose
 * checks all pass. It sees each change at once, by blocking queries.
 *
 * An instance's Meta and tags become its attributes. A tag is "key:value", as
 * Kitex writes it, or a word, whose value is "". The zone is the attribute `zone`,
 * or else the zone of the instance's locality, or of its node's Meta or locality.
 * The weight is Consul's weight of passing instances. An instance without an
 * address has that of its node. An instance that cannot be reached, for example
 * because it has no port, is left out and reported to the hook `resolved`.
 *
 * While the agent cannot be reached, its last answer stays in use, and it is
 * queried again after 1 s to 16 s.
 *
 * The watch, and calls while there are no endpoints, fail with a DiscoveryError:
 * "unreachable", "forbidden", "unknownService", "noHealthyInstance" or
 * "badAnswer".
 *
 * @throws OptionError for invalid options and invalid environment variables
 */
export function consulResolver(
	options: ConsulResolverOptions,
	dependencies: ConsulDependencies = {},
): Resolver {
	checkOptions(options, table);
	const setting: ResolverSetting = {
		...options,
		agent: agentSetting(options, dependencies.environment),
		configKey: options.config,
		config: new WatchedConfig(`the key ${options.config} of Consul`),
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

interface ResolverSetting
	extends Omit<ConsulResolverOptions, "agent" | "config"> {
	readonly agent: AgentSetting;
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
	readonly #agent: ConsulAgent;
	readonly #instances: QueryFeed;
	readonly #config: QueryFeed | undefined;
	#endpoints: readonly Endpoint[] = [];
	/** Why there are no endpoints. */
	#reason: Error | undefined;
	/** The last endpoints and reason, as text, to find out whether an answer brings a change. */
	#print: string | undefined;
	/** The reported reasons for leaving instances out. */
	#unusable: ReadonlySet<string> = new Set();
	/** Whether the key of the service config existed at last, so that its absence is reported once. */
	#hasKey = true;
	#changed: () => void = () => {};

	constructor(setting: ResolverSetting, context: ResolveContext) {
		const { agent, service, configKey, clock, filter, near } = setting;
		this.#setting = setting;
		this.#context = context;
		this.#agent = new ConsulAgent(agent, clock);
		const health: Query = {
			path: `health/service/${encodeURIComponent(service)}`,
			query: { ...this.#scope(), passing: "true", near, filter },
		};
		this.#instances = this.#feed(health, async (answer, signal) => {
			const changed = await this.#hear(health, answer, signal);
			if (changed) this.#changed();
			return changed;
		});
		if (configKey === undefined) return;
		const key: Query = {
			// Keys do not begin with a slash. A leading slash is removed, as Consul's own client does.
			path: `kv/${configKey.replace(/^\//, "").split("/").map(encodeURIComponent).join("/")}`,
			query: this.#scope(),
			expected: [404],
		};
		this.#config = this.#feed(key, (answer) => {
			const changed = this.#configure(this.#agent.read(key, answer, readKey));
			if (changed) this.#changed();
			return changed;
		});
	}

	onChange(changed: () => void): () => void {
		this.#changed = changed;
		return () => {
			this.#instances.stop();
			this.#config?.stop();
			this.#agent.close();
		};
	}

	/** Waits for the loss of a connection, and then queries sooner: the agent may be reachable again, too. */
	async connectionLost(): Promise<void> {
		await this.#context.refresh();
		this.#instances.hurry();
		this.#config?.hurry();
	}

	start(): Promise<unknown> {
		return Promise.all([this.#instances.start(), this.#config?.startAnyway()]);
	}

	resolve(): Resolution {
		const { current } = this.#setting.config;
		return {
			endpoints: this.#endpoints,
			...(this.#reason && { reason: this.#reason }),
			...(current && { serviceConfig: current }),
		};
	}

	#feed(
		question: Query,
		answered: (
			answer: ApiAnswer,
			signal: AbortSignal,
		) => boolean | Promise<boolean>,
	): QueryFeed {
		const { clock, random } = this.#setting;
		return new QueryFeed({
			query: new IndexedQuery(this.#agent, question),
			clock,
			random,
			answered,
			report: (error) => this.#context.report?.(error),
		});
	}

	/** The query parameters that choose the datacenter and the consistency. */
	#scope(): Record<string, string | undefined> {
		const { datacenter, consistency = "default" } = this.#setting;
		return {
			dc: datacenter,
			...(consistency !== "default" && { [consistency]: "" }),
		};
	}

	async #hear(
		question: Query,
		answer: ApiAnswer,
		signal: AbortSignal,
	): Promise<boolean> {
		const { service, filter } = this.#setting;
		const { endpoints, unusable } = this.#agent.read(
			question,
			answer,
			readHealth,
		);
		for (const why of unusable) {
			if (this.#unusable.has(why)) continue;
			this.#report(
				`an instance of ${service} in Consul cannot be reached and is left out: ${why}`,
			);
		}
		this.#unusable = new Set(unusable);
		const usable = endpoints.filter(({ weight }) => weight !== 0);
		this.#reason =
			usable.length > 0
				? undefined
				: await whyNoEndpoint({
						agent: this.#agent,
						service,
						query: this.#scope(),
						filter,
						signal,
					});
		this.#endpoints = usable;
		const print = JSON.stringify([
			this.#endpoints.map((endpoint) => JSON.stringify(endpoint)).sort(),
			this.#reason?.message,
		]);
		const changed = print !== this.#print;
		this.#print = print;
		return changed;
	}

	/** Takes the service config. Returns whether it has changed. */
	#configure(text: string | undefined): boolean {
		const { config, configKey } = this.#setting;
		const before = config.current;
		if (text === undefined && this.#hasKey) {
			this.#report(
				`${this.#agent.name} has no key ${shown(configKey)}, so clients use no service config from it`,
			);
		}
		this.#hasKey = text !== undefined;
		try {
			config.read(text);
		} catch (error) {
			this.#context.report?.(error as Error);
		}
		return config.current !== before;
	}

	#report(what: string): void {
		this.#context.report?.(new DiscoveryError("badAnswer", what));
	}
}

type Query = Pick<AgentRequest, "path" | "query" | "expected">;
