import { defaults, roundRobin, unthrottled } from "./policies.ts";
import type { Scenario } from "./scenario.ts";

/** Scenarios with fewer servers are fast enough and are not made smaller. */
const MANY = 50;

/** Makes a scenario faster: one run, the most important policies, and a fifth of the servers if there are many. */
export function quick(scenario: Scenario): Scenario {
	const share = scenario.servers < MANY ? 1 : 0.2;
	return {
		...scenario,
		servers: scenario.servers * share,
		rate: scenario.rate * share,
		runs: 1,
		policies: scenario.policies.filter((policy) =>
			[roundRobin, defaults, unthrottled].includes(policy),
		),
	};
}
