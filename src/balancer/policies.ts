import type { BalancerFactory } from "./balancer.ts";
import { leastRequestWith, readLeastRequestConfig } from "./least-request.ts";
import { pickFirstWith, readPickFirstConfig } from "./pick-first.ts";
import { ringHashWith } from "./ring-hash/ring-hash.ts";
import { readRingHashConfig } from "./ring-hash/ring-hash-config.ts";
import { roundRobin } from "./round-robin.ts";

/** The names of balancers in service configs and options. */
export type BalancerName =
	| "pick_first"
	| "round_robin"
	| "least_request"
	| "ring_hash";

/** Makes a balancer from its config. Throws OptionError that names the bad field. */
type Policy = (config: unknown, where: string) => BalancerFactory;

const POLICIES: ReadonlyMap<string, Policy> = new Map<BalancerName, Policy>([
	[
		"pick_first",
		(config, where) => pickFirstWith(readPickFirstConfig(config, where)),
	],
	["round_robin", () => roundRobin],
	[
		"least_request",
		(config, where) => leastRequestWith(readLeastRequestConfig(config, where)),
	],
	[
		"ring_hash",
		(config, where) => ringHashWith(readRingHashConfig(config, where)),
	],
]);

/** Other names for the same balancers, which service configs for other gRPC clients use (gRFC A42, A48). */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
	["least_request_experimental", "least_request"],
	["ring_hash_experimental", "ring_hash"],
]);

export const DEFAULT_BALANCER: BalancerName = "least_request";

/**
 * Returns the balancer with a name, or undefined if there is none.
 *
 * @param config its config, as in a service config; unknown fields are ignored
 * @param where the path of the config, for errors
 * @throws OptionError that names the bad field of the config
 */
export function balancerNamed(
	name: string,
	config: unknown,
	where: string,
): BalancerFactory | undefined {
	return POLICIES.get(OTHER_NAMES.get(name) ?? name)?.(config, where);
}

export function balancerNames(): readonly string[] {
	return [...POLICIES.keys()];
}
