import { describe, expect, test } from "vitest";
import { MAX_RATIO, Stride } from "./stride.ts";

/** How many of the next turns each has. */
function turns(stride: Stride, count: number): number[] {
	const taken: number[] = [];
	for (let i = 0; i < count; i++) {
		const turn = stride.next();
		taken[turn] = (taken[turn] ?? 0) + 1;
	}
	return taken;
}

describe("whole weights are kept exactly, wherever it begins", () => {
	test.each([
		[[1, 2]],
		[[3, 1]],
		[[10, 10, 1]],
		[[7, 11, 13, 1, 5]],
		[[100, 1, 1, 1]],
	])("%j", (weights) => {
		const sum = weights.reduce((a, b) => a + b);
		for (const start of [0, 0.3, 0.5, 0.999]) {
			const stride = new Stride(weights, start);
			expect(turns(stride, sum)).toEqual(weights);
			expect(turns(stride, 3 * sum)).toEqual(
				weights.map((weight) => 3 * weight),
			);
		}
	});
});

test("fractions are kept as well as whole weights", () => {
	const stride = new Stride([0.3, 0.1], 0.25);
	expect(turns(stride, 4000)).toEqual([3000, 1000]);
});

test("nobody is ever more than two turns away from what is due", () => {
	const weights = [5, 3, 1, 1];
	const stride = new Stride(weights, 0.7);
	const taken = [0, 0, 0, 0];
	for (let i = 1; i <= 1000; i++) {
		const turn = stride.next();
		taken[turn] = (taken[turn] as number) + 1;
		for (const [index, weight] of weights.entries()) {
			const due = (i * weight) / 10;
			expect(Math.abs((taken[index] as number) - due)).toBeLessThan(2);
		}
	}
});

test("those of the same weight have their turns in different rounds: nobody waits for long", () => {
	const stride = new Stride([50, ...Array<number>(1000).fill(1)], 0.1);
	let heavyInARow = 0;
	for (let i = 0; i < 2000; i++) {
		heavyInARow = stride.next() === 0 ? heavyInARow + 1 : 0;
		expect(heavyInARow).toBeLessThan(2);
	}
});

test(`among many, one weighs at most ${MAX_RATIO} times the mean`, () => {
	const others = 9999;
	const stride = new Stride([1e9, ...Array<number>(others).fill(1e5)], 0);
	const [heavy = 0, ...light] = turns(stride, 200_000);
	expect(heavy / 200_000).toBeCloseTo(100 / (100 + (1e5 / 199990) * others), 2);
	expect(light.length).toBeLessThanOrEqual(others);
});
