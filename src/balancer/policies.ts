import type { BalancerFactory } from "./balancer.ts";
import { leastRequestWith, readLeastRequestConfig } from "./least-request.ts";
import { pickFirstWith, readPickFirstConfig } from "./pick-first.ts";
import { ringHashWith } from "./ring-hash/ring-hash.ts";
import { readRingHashConfig } from "./ring-hash/ring-hash-config.ts";
import { roundRobin } from "./round-robin.ts";

/** The balancers that service configs and options can name. */
export type BalancerName =
	| "pick_first"
	| "round_robin"
	| "least_request"
	| "ring_hash";

/** Makes a balancer of its config; throws OptionError that names the bad field. */
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

/** Names that service configs written for other gRPC clients have for the same (gRFC A42, A48). */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
	["least_request_experimental", "least_request"],
	["ring_hash_experimental", "ring_hash"],
]);

export const DEFAULT_BALANCER: BalancerName = "least_request";

/**
 * The balancer of that name; undefined when there is none.
 *
 * @param config as a service config has it; fields that are not known are ignored
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
