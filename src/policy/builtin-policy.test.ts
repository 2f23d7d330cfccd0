import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { builtinPolicy, builtinRetryThrottling } from "./builtin-policy.ts";
import { parseServiceConfig } from "./service-config.ts";

test("a unary call times out after 10 s and is sent once", () => {
	expect(builtinPolicy({ streaming: false, idempotent: false })).toEqual({
		timeoutMs: 10_000,
	});
});

test("a stream has no timeout", () => {
	expect(builtinPolicy({ streaming: true, idempotent: false })).toEqual({});
});

test("an idempotent method is attempted up to three times on UNAVAILABLE", () => {
	expect(builtinPolicy({ streaming: true, idempotent: true })).toEqual({
		attempts: {
			kind: "retry",
			maxAttempts: 3,
			initialBackoffMs: 50,
			maxBackoffMs: 1000,
			backoffMultiplier: 2,
			retryableCodes: new Set([Code.Unavailable]),
		},
	});
});

test("the built-in throttling is valid in a service config", () => {
	const config = { retryThrottling: builtinRetryThrottling };
	expect(parseServiceConfig(config, "").retryThrottling).toEqual({
		maxTokens: 100,
		tokenRatio: 0.1,
	});
});
