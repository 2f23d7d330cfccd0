import type { Policy } from "./policies.ts";
import {
	merged,
	recovery,
	type Second,
	type Summary,
	summary,
} from "./record.ts";
import type { Scenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";

/** The result of a scenario under one policy. */
export interface Outcome extends Summary {
	readonly policy: Policy;
	readonly seconds: readonly Second[];
	/** Seconds from the fault until all following seconds are good. 0 if all are good, Infinity if the last one is not. */
	readonly recovery: number;
}

export interface Results {
	readonly scenario: Scenario;
	/** One for each policy of the scenario, in the same order. */
	readonly outcomes: readonly Outcome[];
}

/** Simulates all runs of a scenario under each of its policies. All policies get the same calls at the same times. */
export async function results(
	scenario: Scenario,
	seed: number,
): Promise<Results> {
	const outcomes: Outcome[] = [];
	for (const policy of scenario.policies) {
		const runs: (readonly Second[])[] = [];
		for (let run = 0; run < scenario.runs; run++) {
			runs.push(await simulate(scenario, policy, seed + run));
		}
		outcomes.push(outcome(scenario, policy, merged(runs)));
	}
	return { scenario, outcomes };
}

function outcome(
	{ faultAt, seconds: end }: Scenario,
	policy: Policy,
	seconds: readonly Second[],
): Outcome {
	return {
		...summary(seconds.slice(faultAt, end)),
		policy,
		seconds,
		recovery: recovery(seconds.slice(faultAt, end)),
	};
}
