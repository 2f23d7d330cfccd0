import { expect, test } from "vitest";
import { decay, peakEwma } from "./peak-ewma.ts";

/** What 23 seconds and some leave a tenth of, 10 seconds leave 1/e of. */
const DECAY_MS = 10_000;

/** An average, as an endpoint has it. */
class Average {
	#value = Number.NaN;
	#at = 0;

	at(now: number): number {
		return this.#value * decay(now - this.#at);
	}

	sample(ms: number, now: number): void {
		this.#value = peakEwma(this.#value, now - this.#at, ms);
		this.#at = now;
	}
}

/** An average after samples, each `[ms, at]`. */
function after(...samples: [ms: number, at: number][]): Average {
	const average = new Average();
	for (const [ms, at] of samples) average.sample(ms, at);
	return average;
}

test("nothing is known before the first sample, which is believed", () => {
	expect(after().at(5)).toBeNaN();
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
