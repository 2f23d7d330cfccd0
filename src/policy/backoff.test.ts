import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";

/** Returns the next waits. */
function waits(backoff: Backoff, count: number): number[] {
	return Array.from({ length: count }, () => backoff.next());
}

test("the default backoff starts at 1 s and grows by 1.6 each time, up to 15 s", () => {
	const backoff = new Backoff(() => 0.5);
	const seconds = waits(backoff, 8).map((ms) => ms / 1000);
	const expected = [1, 1.6, 2.56, 4.096, 6.5536, 10.48576];
	for (const [index, wait] of expected.entries()) {
		expect(seconds[index]).toBeCloseTo(wait, 6);
	}
	expect(seconds.slice(6)).toEqual([15, 15]);
});

test("the backoff follows the pace that it is given", () => {
	const pace = { initialMs: 100, multiplier: 3, maxMs: 500 };
	expect(waits(new Backoff(() => 0.5, pace), 4)).toEqual([100, 300, 500, 500]);
	expect(waits(new Backoff(() => 0.5, { maxMs: 1200 }), 3)).toEqual([
		1000, 1200, 1200,
	]);
});

test("jitter makes each wait up to 20 % shorter or longer", () => {
	expect(new Backoff(() => 0).next()).toBeCloseTo(800, 6);
	expect(new Backoff(() => 0.999999).next()).toBeCloseTo(1200, 2);
	const late = new Backoff(() => 0.999999);
	expect(waits(late, 20).at(-1)).toBeCloseTo(18_000, 0);
});

test("a reset starts the backoff again at the initial wait", () => {
	const backoff = new Backoff(() => 0.5);
	waits(backoff, 5);
	backoff.reset();
	expect(waits(backoff, 2)).toEqual([1000, 1600]);
});
