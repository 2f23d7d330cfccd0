import { expect, test } from "vitest";
import { DECAY_MS, PeakEwma } from "./peak-ewma.ts";

/** An average after samples, each `[ms, at]`. */
function after(...samples: [ms: number, at: number][]): PeakEwma {
	const average = new PeakEwma();
	for (const [ms, at] of samples) average.sample(ms, at);
	return average;
}

test("nothing is known before the first sample, which is believed", () => {
	expect(after().known).toBe(false);
	expect(after().at(5)).toBeNaN();
	expect(after([7, 5]).known).toBe(true);
	expect(after([7, 5]).at(5)).toBe(7);
});

test("a slower sample raises the estimate at once", () => {
	expect(after([10, 0], [500, 1]).at(1)).toBe(500);
});

test("towards a faster sample it decays with time, not with the number of samples", () => {
	const half = DECAY_MS * Math.LN2;
	expect(after([100, 0], [10, half]).at(half)).toBeCloseTo(55);
	const samples = Array.from({ length: 1000 }, (_, i): [number, number] => [
		10,
		(half * (i + 1)) / 1000,
	]);
	expect(after([100, 0], ...samples).at(half)).toBeCloseTo(55, 1);
});

test("unasked it fades, and a sample brings it back", () => {
	const average = after([100, 0]);
	expect(average.at(DECAY_MS)).toBeCloseTo(100 / Math.E);
	expect(average.at(10 * DECAY_MS)).toBeLessThan(0.01);
	average.sample(50, 10 * DECAY_MS);
	expect(average.at(10 * DECAY_MS)).toBe(50);
});
