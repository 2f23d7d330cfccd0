import { expect, test } from "vitest";
import { chance, exponential, logNormal } from "./chance.ts";

function many(draw: () => number): number[] {
	return Array.from({ length: 20_000 }, draw).sort((a, b) => a - b);
}

function mean(values: readonly number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test("the same seed and name give the same numbers, and others give others", () => {
	const numbers = (seed: number, name: string): number[] => {
		const random = chance(seed, name);
		return [random(), random(), random()];
	};
	expect(numbers(1, "a")).toEqual(numbers(1, "a"));
	expect(numbers(1, "a")).not.toEqual(numbers(2, "a"));
	expect(numbers(1, "a")).not.toEqual(numbers(1, "b"));
});

test("exponential times have the given mean", () => {
	const random = chance(1, "exponential");
	const values = many(() => exponential(random, 20));
	expect(mean(values)).toBeGreaterThan(19.5);
	expect(mean(values)).toBeLessThan(20.5);
	expect(values[10_000]).toBeCloseTo(20 * Math.LN2, 0);
});

test("log-normal times have the given median and spread", () => {
	const random = chance(1, "log-normal");
	const values = many(() => logNormal(random, 15, 0.6));
	expect(values[10_000]).toBeCloseTo(15, 0);
	expect((values[19_800] as number) / 15).toBeGreaterThan(3.7);
	expect((values[19_800] as number) / 15).toBeLessThan(4.4);
});
