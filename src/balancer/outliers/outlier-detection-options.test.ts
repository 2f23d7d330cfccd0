import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
	compileOutlierDetection,
	type OutlierDetectionOptions,
} from "./outlier-detection-options.ts";

const defaults = {
	intervalMs: 10_000,
	baseEjectionMs: 30_000,
	maxEjectionMs: 300_000,
	maxEjectionPercent: 10,
	successRate: {
		stdevFactor: 1900,
		enforcementPercentage: 100,
		minimumHosts: 5,
		requestVolume: 100,
	},
	failurePercentage: {
		threshold: 85,
		enforcementPercentage: 100,
		minimumHosts: 5,
		requestVolume: 50,
	},
	consecutiveFailures: 5,
	failureCodes: new Set([
		Code.Unavailable,
		Code.DeadlineExceeded,
		Code.Internal,
	]),
};

test("the defaults are those of gRFC A50, and 5 failures in a row", () => {
	expect(compileOutlierDetection(undefined, "o")).toEqual(defaults);
	expect(compileOutlierDetection({}, "o")).toEqual(defaults);
});

test("false switches it off", () => {
	expect(compileOutlierDetection(false, "o")).toBeUndefined();
});

test("each field can be set, and the others keep their defaults", () => {
	const options: OutlierDetectionOptions = {
		interval: "0.5s",
		baseEjectionTime: 2000,
		maxEjectionTime: "60s",
		maxEjectionPercent: 50,
		successRateEjection: { stdevFactor: 1000, minimumHosts: undefined },
		failurePercentageEjection: { threshold: 50, requestVolume: 10 },
		consecutiveFailures: 3,
		failureStatusCodes: ["UNAVAILABLE", Code.Unknown],
	};
	expect(compileOutlierDetection(options, "o")).toEqual({
		intervalMs: 500,
		baseEjectionMs: 2000,
		maxEjectionMs: 60_000,
		maxEjectionPercent: 50,
		successRate: { ...defaults.successRate, stdevFactor: 1000 },
		failurePercentage: {
			...defaults.failurePercentage,
			threshold: 50,
			requestVolume: 10,
		},
		consecutiveFailures: 3,
		failureCodes: new Set([Code.Unavailable, Code.Unknown]),
	});
});

test("each of the three ways to eject can be switched off", () => {
	expect(
		compileOutlierDetection(
			{
				successRateEjection: false,
				failurePercentageEjection: false,
				consecutiveFailures: false,
			},
			"o",
		),
	).toMatchObject({
		successRate: undefined,
		failurePercentage: undefined,
		consecutiveFailures: Number.POSITIVE_INFINITY,
	});
});

test.each<[string, object, string]>([
	["interval", { interval: 0 }, "is not more than 0"],
	["interval", { interval: "10" }, "is not a duration"],
	["baseEjectionTime", { baseEjectionTime: -1 }, "is not a duration"],
	["maxEjectionTime", { maxEjectionTime: "1m" }, "is not a duration"],
	["maxEjectionPercent", { maxEjectionPercent: 101 }, "from 0 to 100"],
	["successRateEjection", { successRateEjection: true }, "or false"],
	[
		"successRateEjection.stdevFactor",
		{ successRateEjection: { stdevFactor: 1.9 } },
		"1.9 is not a whole number",
	],
	[
		"successRateEjection.enforcementPercentage",
		{ successRateEjection: { enforcementPercentage: 200 } },
		"from 0 to 100",
	],
	[
		"failurePercentageEjection.threshold",
		{ failurePercentageEjection: { threshold: 101 } },
		"from 0 to 100",
	],
	[
		"failurePercentageEjection.minimumHosts",
		{ failurePercentageEjection: { minimumHosts: 0 } },
		"1 or more",
	],
	[
		"failurePercentageEjection.requestVolumes",
		{ failurePercentageEjection: { requestVolumes: 3 } },
		"did you mean requestVolume?",
	],
	["consecutiveFailures", { consecutiveFailures: 0 }, "or false"],
	["consecutiveFailures", { consecutiveFailures: true }, "or false"],
	["intervall", { intervall: "1s" }, "did you mean interval?"],
])("%s: %j is refused with its path", (field, options, problem) => {
	const compile = (): unknown =>
		compileOutlierDetection(options, "outlierDetection");
	expect(compile).toThrow(`outlierDetection.${field}: `);
	expect(compile).toThrow(problem);
});

test.each([true, 5, "on", [], null])("%o is refused", (value) => {
	expect(() => compileOutlierDetection(value, "outlierDetection")).toThrow(
		/^outlierDetection: .* is not an object/,
	);
});
