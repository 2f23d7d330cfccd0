import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { compileRetryPolicy, type RetryPolicy } from "./retry-policy.ts";

const policy = {
	maxAttempts: 4,
	initialBackoff: "0.1s",
	maxBackoff: "1s",
	backoffMultiplier: 1.6,
	retryableStatusCodes: ["UNAVAILABLE", "aborted", "DeadlineExceeded", 8],
} satisfies Record<keyof RetryPolicy, unknown>;

test("a policy is compiled to milliseconds and a set of codes", () => {
	expect(compileRetryPolicy(policy, "retryPolicy")).toEqual({
		kind: "retry",
		maxAttempts: 4,
		initialBackoffMs: 100,
		maxBackoffMs: 1000,
		backoffMultiplier: 1.6,
		retryableCodes: new Set([
			Code.Unavailable,
			Code.Aborted,
			Code.DeadlineExceeded,
			Code.ResourceExhausted,
		]),
	});
});

test("half a second is 500 ms, not 5 ns", () => {
	const compiled = compileRetryPolicy(
		{ ...policy, initialBackoff: "0.5s" },
		"retryPolicy",
	);
	expect(compiled.initialBackoffMs).toBe(500);
});

test.each<[string, unknown, string | RegExp]>([
	["maxAttempts", undefined, "is missing"],
	["maxAttempts", null, "is missing"],
	["maxAttempts", 1, /1 is too few; .* write 2 or more/],
	["maxAttempts", 0, "0 is too few"],
	["maxAttempts", -3, "-3 is not a whole number"],
	["maxAttempts", 2.5, "2.5 is not a whole number"],
	["maxAttempts", "many", '"many" is not a whole number'],
	["initialBackoff", undefined, "is missing"],
	["initialBackoff", "0s", '"0s" is not more than 0'],
	["initialBackoff", 0, "0 is not more than 0"],
	["initialBackoff", "100ms", "is not a duration"],
	["maxBackoff", undefined, "is missing"],
	["maxBackoff", "0.000s", "is not more than 0"],
	["backoffMultiplier", undefined, "is missing"],
	["backoffMultiplier", 0, "0 is not more than 0"],
	["backoffMultiplier", -1, "-1 is not more than 0"],
	["backoffMultiplier", Infinity, "is not a number"],
	["backoffMultiplier", "fast", "is not a number"],
	["retryableStatusCodes", undefined, "is missing"],
	["retryableStatusCodes", [], "is empty; name at least one code"],
	["retryableStatusCodes", "UNAVAILABLE", '"UNAVAILABLE" is not a list'],
])("%s: %o is refused with its path", (field, value, problem) => {
	const bad = { ...policy, [field]: value };
	expect(() => compileRetryPolicy(bad, "a.retryPolicy")).toThrow(problem);
	expect(() => compileRetryPolicy(bad, "a.retryPolicy")).toThrow(
		`a.retryPolicy.${field}: `,
	);
});

test("an invalid code is refused, and the error gives its index in the list", () => {
	const bad = { ...policy, retryableStatusCodes: ["UNAVAILABLE", "NOPE"] };
	expect(() => compileRetryPolicy(bad, "retryPolicy")).toThrow(
		/^retryPolicy\.retryableStatusCodes\[1\]: "NOPE"/,
	);
});

test("proto3 JSON may write numbers as strings", () => {
	const compiled = compileRetryPolicy(
		{ ...policy, maxAttempts: "3", backoffMultiplier: "2.5" },
		"retryPolicy",
	);
	expect(compiled).toMatchObject({ maxAttempts: 3, backoffMultiplier: 2.5 });
});

describe("rules", () => {
	const attempts = (
		maxAttempts: number | undefined,
		rules?: Parameters<typeof compileRetryPolicy>[2],
	): number =>
		compileRetryPolicy({ ...policy, maxAttempts }, "retryPolicy", rules)
			.maxAttempts;

	test("maxAttempts is kept as written, because the channel applies the limit", () => {
		expect(attempts(5)).toBe(5);
		expect(attempts(20)).toBe(20);
	});

	test("a missing maxAttempts takes the default that the rules give", () => {
		expect(attempts(undefined, { defaultMaxAttempts: 3 })).toBe(3);
		expect(attempts(4, { defaultMaxAttempts: 3 })).toBe(4);
		expect(attempts(undefined, { defaultMaxAttempts: 9 })).toBe(9);
		expect(() => attempts(undefined, { defaultMaxAttempts: 1 })).toThrow(
			"defaultMaxAttempts: 1 is too few",
		);
	});

	test("an unknown key is ignored in a service config, refused in options", () => {
		const more = { ...policy, perAttemptTimeout: "1s" };
		expect(() => compileRetryPolicy(more, "retryPolicy")).not.toThrow();
		expect(() =>
			compileRetryPolicy(more, "retryPolicy", { refuseUnknown: true }),
		).toThrow(/^retryPolicy\.perAttemptTimeout: is not an option/);
	});
});

test.each([true, "yes", 3, []])("%o is refused as a retry policy", (value) => {
	expect(() => compileRetryPolicy(value, "retryPolicy")).toThrow(
		/^retryPolicy: .* is not an object/,
	);
});
