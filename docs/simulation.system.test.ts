/** Runs the scenarios, which takes half a minute of CPU time. */

import { describe, expect, test } from "vitest";
import { plot } from "../simulation/plot.ts";
import { defaults, roundRobin, unthrottled } from "../simulation/policies.ts";
import { quick } from "../simulation/quick.ts";
import { peakLoad } from "../simulation/record.ts";
import { type Outcome, results } from "../simulation/runs.ts";
import type { Scenario } from "../simulation/scenario.ts";
import { scenarios } from "../simulation/scenarios.ts";
import { overview, section } from "../simulation/table.ts";

/** By which factors the defaults must have fewer failures and lower percentiles than round_robin. */
const MARGINS: Readonly<
	Record<string, { failures: number; p99: number; p999: number }>
> = {
	slow: { failures: 100, p99: 5, p999: 3 },
	failing: { failures: 100, p99: 1, p999: 5 },
	"black-hole": { failures: 100, p99: 5, p999: 5 },
	zone: { failures: 3, p99: 5, p999: 1 },
	deploy: { failures: 20, p99: 3, p999: 1.5 },
	crowd: { failures: 100, p99: 5, p999: 1.5 },
	"ten-thousand": { failures: 0, p99: 1.2, p999: 1 },
};

function named(name: string): Scenario {
	const found = scenarios.find((scenario) => scenario.name === name);
	if (found === undefined) throw new Error(`there is no scenario ${name}`);
	return found;
}

async function outcomesOf(name: string): Promise<Outcome[]> {
	const scenario = quick(named(name));
	const { outcomes } = await results(scenario, 1);
	return [roundRobin, defaults, unthrottled].map(
		(policy) =>
			outcomes.find((outcome) => outcome.policy === policy) as Outcome,
	);
}

describe("the simulation", () => {
	const short: Scenario = { ...quick(named("black-hole")), seconds: 15 };
	const told = async (seed: number): Promise<string> => {
		const found = await results(short, seed);
		return overview([found]) + section(found, "plot.svg") + plot(found);
	};

	test("gives the same results for the same seed, and different ones for another seed", async () => {
		const first = await told(1);
		expect(await told(1)).toBe(first);
		expect(await told(2)).not.toBe(first);
	});

	test.for(Object.entries(MARGINS))(
		"shows that the defaults beat round_robin: %s",
		async ([name, margin]) => {
			const [base, own] = (await outcomesOf(name)) as [Outcome, Outcome];
			expect((1 - own.success) * margin.failures).toBeLessThanOrEqual(
				1 - base.success,
			);
			expect(own.p99 * margin.p99).toBeLessThanOrEqual(base.p99);
			expect(own.p999 * margin.p999).toBeLessThanOrEqual(base.p999);
		},
	);

	test.for(["storm", "outage"])(
		"shows that the throttle ends retry storms: %s",
		async (name) => {
			const { faultAt, seconds } = named(name);
			const [base, own, other] = await outcomesOf(name);
			const load = ({ seconds: all }: Outcome): number =>
				peakLoad(all.slice(faultAt + 1, seconds));
			expect(load(own as Outcome)).toBeLessThan(1.2);
			expect(load(other as Outcome)).toBeGreaterThan(2.5);
			expect((own as Outcome).recovery).toBe((base as Outcome).recovery);
		},
	);

	test("checks every scenario", () => {
		expect([...Object.keys(MARGINS), "storm", "outage"].sort()).toEqual(
			scenarios.map(({ name }) => name).sort(),
		);
	});
});
