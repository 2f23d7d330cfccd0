import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { compileHedgingPolicy } from "./hedging-policy.ts";
import { HedgingRule } from "./hedging-rule.ts";
import { RetryThrottle, THROTTLED } from "./retry-throttle.ts";

const policy = compileHedgingPolicy(
	{
		maxAttempts: 4,
		hedgingDelay: "0.5s",
		nonFatalStatusCodes: ["UNAVAILABLE", "ABORTED"],
	},
	"hedgingPolicy",
);

function made(channel = { maxAttempts: 5 }): {
	rule: HedgingRule;
	throttle: RetryThrottle;
} {
	const throttle = new RetryThrottle({ maxTokens: 10, tokenRatio: 0.1 });
	return { rule: new HedgingRule(policy, throttle, channel), throttle };
}

/** Takes tokens from a throttle until it allows nothing more. */
function close(throttle: RetryThrottle): void {
	while (throttle.allows) throttle.failed();
}

test("each attempt is due hedgingDelay after the one before, until maxAttempts have been made", () => {
	const { rule } = made();
	for (const _ of "123") {
		expect(rule.afterSent()).toBe(500);
		expect(rule.refusal()).toBeUndefined();
	}
	expect(rule.afterSent()).toBeUndefined();
});

test("without a delay the next attempt is due at once", () => {
	const { hedgingDelayMs: _, ...rest } = policy;
	const rule = new HedgingRule(
		{ ...rest, hedgingDelayMs: 0 },
		new RetryThrottle({ maxTokens: 10, tokenRatio: 0.1 }),
		{ maxAttempts: 5 },
	);
	expect(rule.afterSent()).toBe(0);
});

test("the channel's limit applies if it is lower than maxAttempts", () => {
	const { rule } = made({ maxAttempts: 2 });
	rule.refusal();
	expect(rule.afterSent()).toBeUndefined();
	expect(rule.failed(Code.Unavailable, undefined)).toEqual({
		kind: "denied",
		reason: "all 2 attempts are sent",
	});
	const single = made({ maxAttempts: 1 }).rule;
	expect(single.afterSent()).toBeUndefined();
});

test("a failure with a non-fatal code makes the next attempt due at once", () => {
	const { rule } = made();
	expect(rule.failed(Code.Unavailable, undefined)).toEqual({
		kind: "next",
		delayMs: 0,
		reason: "1 of 4 attempts are sent, and one failed with unavailable",
	});
	rule.refusal();
	expect(rule.failed(Code.Aborted, undefined)).toMatchObject({
		kind: "next",
		reason: "2 of 4 attempts are sent, and one failed with aborted",
	});
});

test("any other code ends the call, with or without pushback", () => {
	expect(made().rule.failed(Code.Internal, undefined)).toEqual({
		kind: "fatal",
	});
	expect(made().rule.failed(Code.Internal, 100)).toEqual({ kind: "fatal" });
});

describe("pushback", () => {
	test("sets the wait before the next attempt", () => {
		expect(made().rule.failed(Code.Unavailable, 1234)).toEqual({
			kind: "next",
			delayMs: 1234,
			reason: "the server said when to retry",
		});
	});

	test('of "never" stops new attempts for good', () => {
		const { rule } = made();
		rule.refusal();
		expect(rule.failed(Code.Unavailable, "never")).toEqual({
			kind: "denied",
			reason: "the server said not to retry",
		});
		expect(rule.afterSent()).toBeUndefined();
		expect(rule.refusal()).toBe("the server said not to retry");
		expect(rule.failed(Code.Unavailable, undefined).kind).toBe("denied");
		expect(rule.failed(Code.Unavailable, 10).kind).toBe("denied");
	});

	test("never overrides maxAttempts", () => {
		const { rule } = made({ maxAttempts: 2 });
		rule.refusal();
		expect(rule.failed(Code.Unavailable, 0).kind).toBe("denied");
	});
});

describe("the throttle", () => {
	test("stops an attempt that is due", () => {
		const { rule, throttle } = made();
		close(throttle);
		expect(rule.refusal()).toBe(THROTTLED);
		expect(rule.afterSent()).toBeUndefined();
	});

	test("stops the next attempt and all later ones after a failure", () => {
		const { rule, throttle } = made();
		close(throttle);
		expect(rule.failed(Code.Unavailable, undefined)).toEqual({
			kind: "denied",
			reason: THROTTLED,
		});
		for (const _ of "1".repeat(100)) throttle.succeeded();
		expect(rule.refusal()).toBe(THROTTLED);
		expect(rule.afterSent()).toBeUndefined();
		// The reason is the throttle, not the server's pushback.
		expect(rule.failed(Code.Unavailable, undefined)).toEqual({
			kind: "denied",
			reason: THROTTLED,
		});
	});

	test("loses a token with each non-fatal failure, and when the server says not to retry", () => {
		const { rule, throttle } = made();
		rule.failed(Code.Unavailable, undefined);
		rule.failed(Code.Internal, "never");
		rule.failed(Code.Internal, undefined);
		let left = 0;
		for (; throttle.allows; left++) throttle.failed();
		expect(left).toBe(3);
	});
});

test("mayFollow says whether another attempt would follow a failure, and changes no count", () => {
	const { rule, throttle } = made();
	for (let i = 0; i < 10; i++) {
		expect(rule.mayFollow(Code.Unavailable)).toBe(true);
		expect(rule.mayFollow(Code.Internal)).toBe(false);
	}
	expect(throttle.tokens).toBe(10);
	close(throttle);
	expect(rule.mayFollow(Code.Unavailable)).toBe(false);
});
