import { defaults, roundRobin, unthrottled } from "./policies.ts";
import type { Scenario } from "./scenario.ts";

/** A scenario of fewer servers is as quick as it need be. */
const MANY = 50;

/** The same story, once, with a fifth of the servers where there are many, under the policies that matter most. */
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
