import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { ResetBudget } from "./reset-budget.ts";

/** How many resets are let through. */
function count(reset: () => boolean, tries: number): number {
	let through = 0;
	for (let i = 0; i < tries; i++) if (reset()) through += 1;
	return through;
}

test("all connections share one budget of resets", () => {
	const budget = new ResetBudget(new FakeClock());
	let through = 0;
	for (let i = 0; i < 100; i++) through += count(budget.forConnection(), 1000);
	expect(through).toBe(10_000 + 100 * 50);
});

test("each connection has a small budget of its own, which no other connection can use", () => {
	const budget = new ResetBudget(new FakeClock());
	const good = budget.forConnection();
	expect(count(budget.forConnection(), 100_000)).toBe(10_050);
	expect(count(good, 100)).toBe(50);
});

test("the budget refills with time, up to its burst", async () => {
	const clock = new FakeClock();
	const budget = new ResetBudget(clock);
	const reset = budget.forConnection();
	count(reset, 100_000);
	await clock.advance(1000);
	expect(count(reset, 100_000)).toBe(2010);
	await clock.advance(3_600_000);
	expect(count(reset, 100_000)).toBe(10_050);
});
