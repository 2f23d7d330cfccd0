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

/** What a policy made of a scenario. */
export interface Outcome extends Summary {
	readonly policy: Policy;
	readonly seconds: readonly Second[];
	/** Seconds from the fault until all was as it should be; 0: it never was not; Infinity: it never was again. */
	readonly recovery: number;
}

export interface Results {
	readonly scenario: Scenario;
	/** In the order of the scenario's policies. */
	readonly outcomes: readonly Outcome[];
}

/** Lives through a scenario once for each of its runs and policies: all policies meet the same calls at the same times. */
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
