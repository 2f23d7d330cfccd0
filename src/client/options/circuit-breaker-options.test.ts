import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
	type CircuitBreakerOptions,
	compileCircuitBreaker,
} from "./circuit-breaker-options.ts";

test("circuit breakers are off by default", () => {
	expect(compileCircuitBreaker(undefined, "c")).toBeUndefined();
	expect(compileCircuitBreaker(false, "c")).toBeUndefined();
});

test("an empty object selects the defaults", () => {
	expect(compileCircuitBreaker({}, "c")).toEqual({
		windowMs: 10_000,
		failureRatio: 0.5,
		minimumCalls: 20,
		openForMs: 5000,
		successesToClose: 2,
		failureCodes: new Set([
			Code.Unavailable,
			Code.DeadlineExceeded,
			Code.Internal,
			Code.ResourceExhausted,
		]),
		fallback: undefined,
	});
});

test("every field can be set", () => {
	const options: Required<CircuitBreakerOptions> = {
		window: "60s",
		failureRatio: 1,
		minimumCalls: 5,
		openFor: 250,
		successesToClose: 1,
		failureStatusCodes: ["UNKNOWN"],
		fallback: () => ({}),
	};
	expect(compileCircuitBreaker(options, "c")).toEqual({
		windowMs: 60_000,
		failureRatio: 1,
		minimumCalls: 5,
		openForMs: 250,
		successesToClose: 1,
		failureCodes: new Set([Code.Unknown]),
		fallback: options.fallback,
	});
});

test.each<[string, object, string]>([
	["window", { window: 0 }, "is not more than 0"],
	["openFor", { openFor: "0s" }, "is not more than 0"],
	["openFor", { openFor: "5" }, "is not a duration"],
	["failureRatio", { failureRatio: 0 }, "above 0, at most 1"],
	["failureRatio", { failureRatio: 50 }, "above 0, at most 1"],
	["failureRatio", { failureRatio: "0.5" }, "above 0, at most 1"],
	["failureRatio", { failureRatio: Number.NaN }, "above 0, at most 1"],
	["minimumCalls", { minimumCalls: 0 }, "1 or more"],
	["successesToClose", { successesToClose: 1.5 }, "1 or more"],
	["fallback", { fallback: {} }, "is not a function"],
	["openfor", { openfor: "5s" }, "did you mean openFor?"],
])("%s: %j is refused with its path", (field, options, problem) => {
	const compile = (): unknown =>
		compileCircuitBreaker(options, "circuitBreaker");
	expect(compile).toThrow(`circuitBreaker.${field}: `);
	expect(compile).toThrow(problem);
});

test.each([true, 5, "on", null])("the value %o is refused", (value) => {
	expect(() => compileCircuitBreaker(value, "circuitBreaker")).toThrow(
		/^circuitBreaker: .* is not an object/,
	);
});
