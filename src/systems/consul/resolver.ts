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
	type ConsulAgentOptions,
	settleAgent,
} from "./agent-options.ts";
import { readHealth } from "./health-entries.ts";
import { IndexedQuery } from "./indexed-query.ts";
import { readKey } from "./key-value.ts";
import { consulName } from "./name.ts";
import { QueryFeed } from "./query-feed.ts";
import { whyNone } from "./why-none.ts";

export interface ConsulResolverOptions extends ConsulAgentOptions {
	/** The name of the service. */
	service: string;
	/** Default: the agent's own. */
	datacenter?: string | undefined;
	/** Only instances for which this holds (https://developer.hashicorp.com/consul/api-docs/features/filtering): `"v2" in Service.Tags`. */
	filter?: string | undefined;
	/** The node from which round trips count, "_agent" for the agent's own: the nearest instances come first. Only balancers that go by the order heed it. */
	near?: string | undefined;
	/** Which of Consul's servers may answer: "stale": any; "consistent": the leader, once the others agree. Default: the leader. */
	consistency?: "default" | "stale" | "consistent" | undefined;
	/** A key of Consul's KV store whose JSON is the service config; watched. */
	config?: string | undefined;
}

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
 * The instances of a service of which all checks pass, as the agent knows them,
 * and each change as soon as it happens, by blocking queries.
 *
 * An instance's Meta and tags are its attributes ("key:value" as Kitex writes
 * tags; a word alone is ""), its zone is the attribute `zone`, else the zone
 * of its locality, or of its node's Meta or locality. Its weight is that of
 * passing instances. One that has no address of its own has its node's; one
 * that cannot be reached (no port, for one) is left out, and reaches the hooks.
 *
 * While the agent cannot be reached, what it said last stays, and it is asked
 * again after 1 s to 16 s.
 *
 * Fails with DiscoveryError, and calls with it: "unreachable", "forbidden",
 * "unknownService", "noHealthyInstance", "badAnswer".
 *
 * @throws OptionError for bad options, and for what the environment should not have
 */
export function consulResolver(
	options: ConsulResolverOptions,
	dependencies: ConsulDependencies = {},
): Resolver {
	checkOptions(options, table);
	const setting: ResolverSetting = {
		...options,
		agent: settleAgent(options, dependencies.environment),
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
	/** Outlives a watch. */
	readonly config: WatchedConfig;
	readonly clock: Clock;
	readonly random: () => number;
}

/** A service during one watch. */
class WatchedService implements FollowedService {
	readonly #setting: ResolverSetting;
	readonly #context: ResolveContext;
	readonly #agent: ConsulAgent;
	readonly #instances: QueryFeed;
	readonly #config: QueryFeed | undefined;
	#endpoints: readonly Endpoint[] = [];
	/** Why there are none. */
	#reason: Error | undefined;
	/** Of what was last heard. */
	#print: string | undefined;
	/** Why instances are left out, as far as that has been reported. */
	#unusable: ReadonlySet<string> = new Set();
	/** That it has none has not been reported. */
	#hasKey = true;
	#changed: () => void = () => {};

	constructor(setting: ResolverSetting, context: ResolveContext) {
		const { agent, service, configKey, clock, filter, near } = setting;
		this.#setting = setting;
		this.#context = context;
		this.#agent = new ConsulAgent(agent, clock);
		const health: Question = {
			path: `health/service/${encodeURIComponent(service)}`,
			query: { ...this.#scope(), passing: "true", near, filter },
		};
		this.#instances = this.#feed(health, async (answer, signal) => {
			const changed = await this.#hear(health, answer, signal);
			if (changed) this.#changed();
			return changed;
		});
		if (configKey === undefined) return;
		const key: Question = {
			// No key begins with a slash; who writes one is taken to mean none, as by Consul's own client.
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

	/** Of the channel, to an endpoint: what kept us from the agent may have ended with that. */
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
		question: Question,
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

	/** What every question says of where, and of whom to ask. */
	#scope(): Record<string, string | undefined> {
		const { datacenter, consistency = "default" } = this.#setting;
		return {
			dc: datacenter,
			...(consistency !== "default" && { [consistency]: "" }),
		};
	}

	async #hear(
		question: Question,
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
				: await whyNone({
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

	/** Whether it is another one than before. */
	#configure(text: string | undefined): boolean {
		const { config, configKey } = this.#setting;
		const before = config.current;
		if (text === undefined && this.#hasKey) {
			this.#report(
				`${this.#agent.name} has no key ${shown(configKey)}, so its clients do without the service config`,
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

type Question = Pick<AgentRequest, "path" | "query" | "expected">;
