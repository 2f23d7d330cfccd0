import {
	type Duration,
	formatDuration,
	parseDuration,
} from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import {
	type Check,
	callable,
	checkOptions,
	type OptionTable,
} from "../../checks/option-table.ts";
import { outsideCalls } from "../../client/channel/outside-calls.ts";
import type {
	Instance,
	Registration,
	Registry,
} from "../../discovery/registry.ts";
import { systemClock } from "../../policy/clock.ts";
import { guarded } from "../../policy/guarded.ts";
import { keepingAlive } from "../keeping-alive.ts";
import { ConsulAgent } from "./agent.ts";
import {
	agentOptions,
	agentSetting,
	type ConsulAgentOptions,
} from "./agent-options.ts";
import { type ConsulCheck, consulCheck, ttlOf } from "./checks.ts";
import { RegisteredService } from "./registered-service.ts";
import type { ConsulDependencies } from "./resolver.ts";
import { serviceDefinition } from "./service-definition.ts";

/** The options of `consulRegistry`. */
export interface ConsulRegistryOptions extends ConsulAgentOptions {
	/** How Consul checks the health of the server. Default: `{ kind: "ttl", ttl: "15s" }`. */
	check?: ConsulCheck | undefined;
	/**
	 * How long an instance must be critical before Consul deregisters it: milliseconds, or "60s"; at least 60 s. Default:
	 * 60 s.
	 */
	deregisterAfter?: Duration | undefined;
	/**
	 * Called with errors while a server is registered: the agent cannot be reached, or another process has the same id. The
	 * registry tries again by itself. Default: none.
	 */
	onError?: ((error: Error) => void) | undefined;
}

const deregisterAfter: Check<number> = (value, where) => {
	const ms = parseDuration(value, where);
	if (ms >= 60_000) return ms;
	throw new OptionError(
		where,
		`${shown(value)} is less than a minute, the least that Consul accepts`,
	);
};

const table: OptionTable<ConsulRegistryOptions> = {
	...agentOptions,
	check: consulCheck,
	deregisterAfter,
	onError: callable,
};

/**
 * Makes a registry that registers servers with a Consul agent, with a health
 * check. The default id is `NAME:HOST:PORT`, and the default host is the first
 * address of this machine that others can reach. Attributes and the zone become
 * Meta, tags become tags. An instance without a weight has Consul's default of 1.
 *
 * If the agent forgets the service (the agent was restarted, or somebody
 * deregistered the service), it is registered again within 5 s.
 * `setServing(false)` puts the service into Consul's maintenance mode. Disposing a
 * registration deregisters the service, in at most 2 s. `register` rejects with a
 * DiscoveryError ("unreachable", "forbidden" or "badAnswer"), and with an
 * OptionError for an instance that Consul would not accept.
 *
 * @throws OptionError for invalid options and invalid environment variables
 */
export function consulRegistry(
	options: ConsulRegistryOptions = {},
	dependencies: ConsulDependencies = {},
): Registry {
	checkOptions(options, table);
	const { check = { kind: "ttl" }, onError = () => {} } = options;
	const agent = agentSetting(options, dependencies.environment);
	const deregisterAfterMs = deregisterAfter(
		options.deregisterAfter ?? "60s",
		"deregisterAfter",
	);
	const ttlMs = ttlOf(check);
	const { clock = systemClock, random = Math.random } = dependencies;

	async function register(
		instance: Instance,
		signal: AbortSignal,
	): Promise<Registration> {
		const registration = crypto.randomUUID();
		const definition = serviceDefinition(
			instance,
			check,
			deregisterAfterMs,
			registration,
		);
		const consul = new ConsulAgent(agent, clock);
		const service = new RegisteredService({
			agent: consul,
			definition,
			registration,
			ttlMs,
			fate: fateOf(ttlMs, deregisterAfterMs),
			clock,
			random,
			report: guarded(onError, "onError of consulRegistry"),
		});
		try {
			await keepingAlive(clock, () => service.start(signal));
		} catch (error) {
			consul.close();
			throw error;
		}
		let stopped: Promise<void> | undefined;
		return {
			setServing: (serving) =>
				stopped === undefined ? service.setServing(serving) : Promise.resolve(),
			[Symbol.asyncDispose]: () => {
				stopped ??= service.stop().finally(() => consul.close());
				return stopped;
			},
		};
	}

	return {
		register: (instance, signal) =>
			outsideCalls(() => register(instance, signal)),
	};
}

function fateOf(ttlMs: number | undefined, deregisterAfterMs: number): string {
	const found =
		ttlMs === undefined
			? "until its check fails"
			: `for ${formatDuration(ttlMs)} at most`;
	return `clients may find it ${found}, and Consul deregisters it ${formatDuration(deregisterAfterMs)} later`;
}
