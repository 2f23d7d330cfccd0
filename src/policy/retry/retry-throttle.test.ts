import { expect, test } from "vitest";
import { builtinRetryThrottling } from "../builtin-policy.ts";
import { RetryThrottle } from "./retry-throttle.ts";

/** Ends this many attempts. */
function fail(throttle: RetryThrottle, count: number): void {
	for (let n = 0; n < count; n += 1) throttle.failed();
}
function succeed(throttle: RetryThrottle, count: number): void {
	for (let n = 0; n < count; n += 1) throttle.succeeded();
}

/** Returns how many failures in a row close the throttle. */
function failuresLeft(throttle: RetryThrottle): number {
	let count = 0;
	while (throttle.allows) {
		throttle.failed();
		count += 1;
	}
	return count;
}

test("a throttle starts with all its tokens", () => {
	expect(failuresLeft(new RetryThrottle(builtinRetryThrottling))).toBe(50);
});

test("a throttle allows retries while more than half of the tokens are left, and not at exactly half", () => {
	const even = new RetryThrottle({ maxTokens: 10, tokenRatio: 0.1 });
	fail(even, 4);
	expect(even.allows).toBe(true);
	even.failed();
	expect(even.allows).toBe(false);

	const odd = new RetryThrottle({ maxTokens: 3, tokenRatio: 0.5 });
	odd.failed();
	expect(odd.allows).toBe(true);
	odd.failed();
	expect(odd.allows).toBe(false);
	odd.succeeded();
	expect(odd.allows).toBe(false);
	odd.succeeded();
	expect(odd.allows).toBe(true);
});

test("a failure takes one token, and a success gives back tokenRatio", () => {
	const throttle = new RetryThrottle({ maxTokens: 10, tokenRatio: 0.1 });
	fail(throttle, 6);
	succeed(throttle, 10);
	expect(throttle.allows).toBe(false);
	succeed(throttle, 1);
	expect(throttle.allows).toBe(true);
});

test("the tokens stay between 0 and maxTokens", () => {
	const throttle = new RetryThrottle({ maxTokens: 4, tokenRatio: 1 });
	succeed(throttle, 100);
	expect(failuresLeft(throttle)).toBe(2);
	fail(throttle, 100);
	succeed(throttle, 2);
	expect(throttle.allows).toBe(false);
	succeed(throttle, 1);
	expect(throttle.allows).toBe(true);
});

test.each([0.1, 0.7, 0.035, 0.005, 1.005, 2.035])(
	"200 successes at a ratio of %d add exactly 200 times the ratio",
	(tokenRatio) => {
		const throttle = new RetryThrottle({ maxTokens: 1000, tokenRatio });
		fail(throttle, 500 + Math.round(200 * tokenRatio));
		succeed(throttle, 200);
		// Exactly half of the tokens are left.
		expect(throttle.allows).toBe(false);
		succeed(throttle, 1);
		expect(throttle.allows).toBe(true);
	},
);

test("a ratio counts to three decimals", () => {
	const throttle = new RetryThrottle({ maxTokens: 1000, tokenRatio: 1.005 });
	fail(throttle, 903);
	succeed(throttle, 400);
	expect(throttle.allows).toBe(false);
	// 401 times 1.005 are 403.005.
	succeed(throttle, 1);
	expect(throttle.allows).toBe(true);
});

test("new limits keep the fraction of tokens that are left", () => {
	const throttle = new RetryThrottle({ maxTokens: 100, tokenRatio: 0.1 });
	throttle.reconfigure({ maxTokens: 10, tokenRatio: 1 });
	expect(failuresLeft(throttle)).toBe(5);
	throttle.reconfigure({ maxTokens: 1000, tokenRatio: 1 });
	expect(throttle.allows).toBe(false);
	succeed(throttle, 1);
	expect(throttle.allows).toBe(true);
});

test("a throttled channel stays throttled when the limits grow or shrink", () => {
	const throttle = new RetryThrottle({ maxTokens: 7, tokenRatio: 0.001 });
	fail(throttle, 4);
	for (const maxTokens of [1000, 3, 999, 1]) {
		throttle.reconfigure({ maxTokens, tokenRatio: 0.001 });
		expect(throttle.allows).toBe(false);
	}
});

test("a channel that may retry by a small margin may still retry after new limits", () => {
	const throttle = new RetryThrottle({ maxTokens: 10, tokenRatio: 0.001 });
	fail(throttle, 5);
	succeed(throttle, 1);
	expect(throttle.allows).toBe(true);
	throttle.reconfigure({ maxTokens: 1, tokenRatio: 0.001 });
	expect(throttle.allows).toBe(true);
});

test("the new ratio applies to later successes", () => {
	const throttle = new RetryThrottle({ maxTokens: 10, tokenRatio: 0.001 });
	fail(throttle, 6);
	throttle.reconfigure({ maxTokens: 10, tokenRatio: 2 });
	succeed(throttle, 1);
	expect(throttle.allows).toBe(true);
});
