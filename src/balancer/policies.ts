import type { BalancerFactory } from "./balancer.ts";
import { pickFirst } from "./pick-first.ts";
import { roundRobin } from "./round-robin.ts";

/** The balancers that service configs and options can name. */
const POLICIES: ReadonlyMap<string, BalancerFactory> = new Map([
	["pick_first", pickFirst],
	["round_robin", roundRobin],
]);

export const DEFAULT_BALANCER: BalancerFactory = roundRobin;

/** The balancer of that name; undefined when there is none. */
export function balancerNamed(name: string): BalancerFactory | undefined {
	return POLICIES.get(name);
}

export function balancerNames(): readonly string[] {
	return [...POLICIES.keys()];
}
