import { describe, expect, test } from "vitest";
import { compileOutlierDetection } from "./outlier-detection-options.ts";
import {
	type Counted,
	failurePercentageOutliers,
	successRateOutliers,
} from "./outliers.ts";

/** Endpoints of 100 calls each, of which so many failed. */
function failing(...failures: number[]): Counted[] {
	return failures.map((count) => ({ successes: 100 - count, failures: count }));
}

function successRate(members: Counted[], options: object = {}): number[] {
	const rule = compileOutlierDetection({ successRateEjection: options }, "o");
	if (rule?.successRate === undefined) throw new Error("switched off");
	return successRateOutliers(members, rule.successRate).map(({ member }) =>
		members.indexOf(member),
	);
}

function failurePercentage(members: Counted[], options: object = {}): number[] {
	const rule = compileOutlierDetection(
		{ failurePercentageEjection: options },
		"o",
	);
	if (rule?.failurePercentage === undefined) throw new Error("switched off");
	return failurePercentageOutliers(members, rule.failurePercentage).map(
		({ member }) => members.indexOf(member),
	);
}

describe("success rate", () => {
	test("below mean - 1.9 standard deviations is an outlier", () => {
		// Mean 94 %, deviation 12 %: the bound is at 71.2 %.
		expect(successRate(failing(0, 0, 0, 30, 0))).toEqual([3]);
	});

	test("is measured by the deviation of all of them, not of a sample", () => {
		// Of four good ones and a bad one, the bad one is 2 deviations away, and of a sample's 1.79.
		expect(successRate(failing(0, 0, 0, 0, 100))).toEqual([4]);
		expect(
			successRate(failing(0, 0, 0, 0, 100), { stdevFactor: 2001 }),
		).toEqual([]);
	});

	test("at the bound is no outlier, and equal ones are none", () => {
		expect(successRate(failing(7, 7, 7, 7, 7, 7))).toEqual([]);
		expect(successRate(failing(0, 100), limits(1000))).toEqual([]);
		expect(successRate(failing(0, 100), limits(999))).toEqual([1]);
		function limits(stdevFactor: number): object {
			return { stdevFactor, minimumHosts: 2 };
		}
	});

	test("of fewer than minimumHosts with volume says nothing", () => {
		const four = failing(0, 0, 0, 100);
		const factor = { stdevFactor: 1000 };
		expect(successRate(four, factor)).toEqual([]);
		expect(successRate(four, { ...factor, minimumHosts: 4 })).toEqual([3]);
		const fifth = { successes: 99, failures: 0 };
		expect(successRate([...four, fifth], factor)).toEqual([]);
		fifth.failures = 1;
		expect(successRate([...four, fifth], factor)).toEqual([3]);
	});

	test("an endpoint without volume is not looked at, and does not move the mean", () => {
		const idle = { successes: 0, failures: 99 };
		expect(successRate([...failing(0, 0, 0, 0, 20), idle])).toEqual([4]);
	});

	test("the worst goes first", () => {
		expect(
			successRate(failing(0, 60, 0, 80, 0, 70, 0, 0), { stdevFactor: 500 }),
		).toEqual([3, 5, 1]);
	});
});

describe("failure percentage", () => {
	test("above the threshold is an outlier, at the threshold is none", () => {
		expect(failurePercentage(failing(85, 86, 0, 85, 100))).toEqual([4, 1]);
		expect(
			failurePercentage(failing(85, 86, 0, 85, 100), { threshold: 99 }),
		).toEqual([4]);
	});

	test("does not look at the others: all of them may be outliers", () => {
		expect(failurePercentage(failing(90, 90, 90, 90, 90))).toHaveLength(5);
	});

	test("of fewer than minimumHosts with volume says nothing", () => {
		const four = failing(100, 100, 100, 100);
		expect(failurePercentage(four)).toEqual([]);
		expect(failurePercentage([...four, half(49)])).toEqual([]);
		expect(failurePercentage([...four, half(50)])).toHaveLength(4);
		function half(successes: number): Counted {
			return { successes, failures: 0 };
		}
	});

	test("an endpoint without volume is not looked at", () => {
		const idle = { successes: 0, failures: 49 };
		expect(failurePercentage([...failing(0, 0, 0, 0, 0), idle])).toEqual([]);
	});
});

test("an outlier comes with what it did", () => {
	const [outlier] = failurePercentageOutliers(failing(90), {
		threshold: 85,
		enforcementPercentage: 100,
		minimumHosts: 1,
		requestVolume: 50,
	});
	expect(outlier?.why).toBe(
		"90 of its last 100 calls failed, and more than 85 % may not fail",
	);
	const [sick] = successRateOutliers(failing(0, 0, 0, 30, 0), {
		stdevFactor: 1900,
		enforcementPercentage: 100,
		minimumHosts: 5,
		requestVolume: 100,
	});
	expect(sick?.why).toBe(
		"30 of its last 100 calls failed, and the mean of 5 endpoints is 94 %",
	);
});
