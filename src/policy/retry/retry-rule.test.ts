import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { compileRetryPolicy } from "./retry-policy.ts";
import { RetryRule } from "./retry-rule.ts";
import { RetryThrottle, THROTTLED } from "./retry-throttle.ts";

const policy = compileRetryPolicy(
	{
		maxAttempts: 4,
		initialBackoff: "0.1s",
		maxBackoff: "0.3s",
		backoffMultiplier: 2,
		retryableStatusCodes: ["UNAVAILABLE", "ABORTED"],
	},
	"retryPolicy",
);

/** Makes a rule without jitter, and the throttle of its channel. */
function made(
	channel: Partial<{ maxAttempts: number; random: () => number }> = {},
	throttling = { maxTokens: 10, tokenRatio: 0.1 },
): { rule: RetryRule; throttle: RetryThrottle } {
	const throttle = new RetryThrottle(throttling);
	const rule = new RetryRule(policy, throttle, {
		maxAttempts: 5,
		random: () => 0.5,
		...channel,
	});
	return { rule, throttle };
}

/** Returns how many more failures close the throttle. */
function failuresLeft(throttle: RetryThrottle): number {
	let count = 0;
	for (; throttle.allows; count++) throttle.failed();
	return count;
}

test("a failure with a retryable code leads to another attempt, after a backoff that grows", () => {
	const { rule } = made();
	expect(rule.failed(Code.Unavailable, undefined)).toEqual({
		kind: "next",
		delayMs: 100,
		reason: "attempt 1 of 4 failed with unavailable",
	});
	expect(rule.failed(Code.Aborted, undefined)).toEqual({
		kind: "next",
		delayMs: 200,
		reason: "attempt 2 of 4 failed with aborted",
	});
	expect(rule.failed(Code.Unavailable, undefined)).toMatchObject({
		delayMs: 300,
	});
});

test("any other code ends the call, whichever attempt it is", () => {
	expect(made().rule.failed(Code.Internal, undefined)).toEqual({
		kind: "fatal",
	});
	const { rule } = made();
	rule.failed(Code.Unavailable, undefined);
	expect(rule.failed(Code.NotFound, undefined)).toEqual({ kind: "fatal" });
});

test("there are at most maxAttempts attempts, including the first", () => {
	const { rule } = made();
	for (const _ of "123") {
		expect(rule.failed(Code.Unavailable, undefined).kind).toBe("next");
	}
	expect(rule.failed(Code.Unavailable, undefined)).toEqual({
		kind: "denied",
		reason: "all 4 attempts have failed",
	});
});

test("the channel's limit applies if it is lower than maxAttempts", () => {
	const { rule } = made({ maxAttempts: 2 });
	expect(rule.failed(Code.Unavailable, undefined).kind).toBe("next");
	expect(rule.failed(Code.Unavailable, undefined)).toEqual({
		kind: "denied",
		reason: "all 2 attempts have failed",
	});
});

describe("pushback", () => {
	test("sets the exact wait, and the backoff starts again at the initial one", () => {
		const { rule } = made({ random: () => 0 });
		rule.failed(Code.Unavailable, undefined);
		expect(rule.failed(Code.Unavailable, 5000)).toEqual({
			kind: "next",
			delayMs: 5000,
			reason: "the server said when to retry",
		});
		expect(rule.failed(Code.Unavailable, undefined)).toMatchObject({
			delayMs: 80,
		});
	});

	test('of "never" denies the retry', () => {
		expect(made().rule.failed(Code.Unavailable, "never")).toEqual({
			kind: "denied",
			reason: "the server said not to retry",
		});
	});

	test("never overrides maxAttempts", () => {
		const { rule } = made({ maxAttempts: 2 });
		rule.failed(Code.Unavailable, 0);
		expect(rule.failed(Code.Unavailable, 0)).toMatchObject({ kind: "denied" });
	});

	test("does not make another code retryable", () => {
		expect(made().rule.failed(Code.Internal, 0)).toEqual({ kind: "fatal" });
	});
});

describe("the throttle", () => {
	test("loses a token with each retryable failure, including the last one of a call", () => {
		const { rule, throttle } = made();
		for (const _ of "1234") rule.failed(Code.Unavailable, undefined);
		expect(failuresLeft(throttle)).toBe(1);
	});

	test("loses a token when the server says not to retry, whatever the code", () => {
		const { rule, throttle } = made();
		rule.failed(Code.Internal, "never");
		rule.failed(Code.Unavailable, "never");
		expect(failuresLeft(throttle)).toBe(3);
	});

	test("loses no token with other failures, with or without pushback", () => {
		const { rule, throttle } = made();
		rule.failed(Code.Internal, undefined);
		rule.failed(Code.Internal, 10);
		expect(failuresLeft(throttle)).toBe(5);
	});

	test("denies retries when at most half of its tokens are left, with or without pushback", () => {
		const { rule, throttle } = made();
		for (const _ of "1234") throttle.failed();
		expect(throttle.allows).toBe(true);
		// This failure takes the fifth of ten tokens.
		expect(rule.failed(Code.Unavailable, undefined)).toEqual({
			kind: "denied",
			reason: THROTTLED,
		});
		expect(rule.failed(Code.Unavailable, 10).kind).toBe("denied");
	});

	test("is checked before the backoff, not after it", () => {
		const { rule, throttle } = made();
		expect(rule.failed(Code.Unavailable, undefined).kind).toBe("next");
		for (const _ of "123456789") throttle.failed();
		expect(rule.refusal()).toBeUndefined();
	});
});

test("mayFollow says whether another attempt would follow, and changes no count", () => {
	const { rule, throttle } = made();
	for (let i = 0; i < 10; i++) {
		expect(rule.mayFollow(Code.Unavailable)).toBe(true);
		expect(rule.mayFollow(Code.Internal)).toBe(false);
	}
	expect(throttle.tokens).toBe(10);
	for (let i = 0; i < 3; i++) rule.failed(Code.Unavailable, undefined);
	expect(rule.mayFollow(Code.Unavailable)).toBe(false);
	const other = made();
	failuresLeft(other.throttle);
	expect(other.rule.mayFollow(Code.Unavailable)).toBe(false);
});
