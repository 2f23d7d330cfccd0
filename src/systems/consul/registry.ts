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
import { ConsulAgent } from "./agent.ts";
import {
	agentOptions,
	type ConsulAgentOptions,
	settleAgent,
} from "./agent-options.ts";
import { type ConsulCheck, consulCheck, ttlOf } from "./checks.ts";
import { RegisteredService } from "./registered-service.ts";
import type { ConsulDependencies } from "./resolver.ts";
import { serviceDefinition } from "./service-definition.ts";

export interface ConsulRegistryOptions extends ConsulAgentOptions {
	/** How Consul learns whether the server is fit to take calls. Default: `{ kind: "ttl", ttl: "15s" }`. */
	check?: ConsulCheck | undefined;
	/** How long an instance is critical before Consul forgets it: milliseconds, or "60s"; 60 s or more. Default: 60 s. */
	deregisterAfter?: Duration | undefined;
	/** Told of what goes wrong while a server is registered, and is tried again: the agent cannot be reached, another process has the same id. */
	onError?: ((error: Error) => void) | undefined;
}

const deregisterAfter: Check<number> = (value, where) => {
	const ms = parseDuration(value, where);
	if (ms >= 60_000) return ms;
	throw new OptionError(
		where,
		`${shown(value)} is less than a minute, the least that Consul takes`,
	);
};

const table: OptionTable<ConsulRegistryOptions> = {
	...agentOptions,
	check: consulCheck,
	deregisterAfter,
	onError: callable,
};

/** Longer than a registration takes, however it ends. */
const AWAKE_MS = 60_000;

/**
 * Makes servers known in Consul: registers them with the agent beside them, with
 * a check. The id is by default `NAME:HOST:PORT`, the host the first address of
 * this machine that others may reach; attributes and the zone are Meta, tags are
 * tags, and without a weight the instance has Consul's, which is 1.
 *
 * What the agent has forgotten (it was started again, somebody took the service
 * out) is registered again within 5 s. `setServing(false)` is Consul's
 * maintenance mode; disposing a registration takes the service out, in 2 s at
 * most. Registering fails with DiscoveryError: "unreachable", "forbidden",
 * "badAnswer"; and with OptionError for an instance that Consul would not take.
 *
 * @throws OptionError for bad options, and for what the environment should not have
 */
export function consulRegistry(
	options: ConsulRegistryOptions = {},
	dependencies: ConsulDependencies = {},
): Registry {
	checkOptions(options, table);
	const { check = { kind: "ttl" }, onError = () => {} } = options;
	const agent = settleAgent(options, dependencies.environment);
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
		// Who waits for a registration to be made keeps the process alive.
		const awake = clock.after(AWAKE_MS, () => {});
		try {
			await service.start(signal);
		} catch (error) {
			consul.close();
			throw error;
		} finally {
			clock.cancel(awake);
		}
		let stopped: Promise<void> | undefined;
		return {
			setServing: (serving) =>
				stopped === undefined ? service.want(serving) : Promise.resolve(),
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
	return `clients may find it ${found}, and Consul forgets it ${formatDuration(deregisterAfterMs)} later`;
}
