import { describe, expect, test } from "vitest";
import { checkOptions } from "../checks/option-table.ts";
import {
	compileMethodPolicy,
	forStreaming,
	type MethodPolicy,
	mergePolicies,
	methodPolicyOptions,
} from "./method-policy.ts";

const retryPolicy: MethodPolicy["retryPolicy"] = {
	maxAttempts: 3,
	initialBackoff: 50,
	maxBackoff: 1000,
	backoffMultiplier: 2,
	retryableStatusCodes: ["UNAVAILABLE"],
};
const hedgingPolicy: MethodPolicy["hedgingPolicy"] = { maxAttempts: 2 };

const compiled = (policy: MethodPolicy) => compileMethodPolicy(policy, "");

describe("compileMethodPolicy", () => {
	test("holds only what the level sets", () => {
		expect(Object.keys(compiled({}))).toEqual([]);
		expect(Object.keys(compiled({ timeout: undefined }))).toEqual([]);
		expect(compiled({ timeout: "2s", waitForReady: false })).toEqual({
			timeoutMs: 2000,
			waitForReady: false,
		});
	});

	test("reads sizes as numbers and as proto3 JSON strings", () => {
		expect(
			compileMethodPolicy(
				{ maxRequestMessageBytes: "1024", maxResponseMessageBytes: 0 },
				"",
			),
		).toEqual({ maxRequestMessageBytes: 1024, maxResponseMessageBytes: 0 });
	});

	test.each([0, "0s"])("timeout %j is no timeout", (timeout) => {
		expect(compileMethodPolicy({ timeout }, "")).toEqual({
			timeoutMs: Infinity,
		});
	});

	test("the way that a call is sent is one slot", () => {
		expect(compiled({ retryPolicy }).attempts?.kind).toBe("retry");
		expect(compiled({ hedgingPolicy }).attempts?.kind).toBe("hedge");
		expect(compiled({ retryPolicy: false }).attempts).toEqual({ kind: "once" });
	});

	test.each([retryPolicy, false as const])(
		"retryPolicy %j beside a hedgingPolicy is an error",
		(retry) => {
			expect(() =>
				compileMethodPolicy(
					{ retryPolicy: retry, hedgingPolicy },
					"methods.create",
				),
			).toThrow(
				/^methods\.create\.hedgingPolicy: stands beside a retryPolicy; .*remove one/,
			);
		},
	);

	test.each<[object, RegExp]>([
		[{ timeout: "1" }, /^m\.timeout: /],
		[{ waitForReady: "yes" }, /^m\.waitForReady: "yes" is not true or false/],
		[{ retryPolicy: true }, /^m\.retryPolicy: true is not an object/],
		[{ retryPolicy: {} }, /^m\.retryPolicy\.maxAttempts: is missing/],
		[{ hedgingPolicy: false }, /^m\.hedgingPolicy: false is not an object/],
		[{ maxRequestMessageBytes: -1 }, /^m\.maxRequestMessageBytes: -1/],
		[{ maxResponseMessageBytes: "x" }, /^m\.maxResponseMessageBytes: "x"/],
	])("%j is refused with its path", (policy, message) => {
		expect(() => compileMethodPolicy(policy, "m")).toThrow(message);
	});

	test("the rules reach the policies inside", () => {
		const without = { ...retryPolicy, maxAttempts: undefined };
		expect(
			compileMethodPolicy({ retryPolicy: without }, "", {
				defaultMaxAttempts: 4,
			}).attempts,
		).toMatchObject({ maxAttempts: 4 });
	});

	test("the rows refuse the keys that the compiler ignores", () => {
		const policy = { timeout: 5, colour: "red" };
		expect(compileMethodPolicy(policy, "")).toEqual({ timeoutMs: 5 });
		expect(() => checkOptions(policy, methodPolicyOptions)).toThrow(
			/^colour: is not an option/,
		);
	});
});

describe("mergePolicies", () => {
	test("each field is that of the nearest level that sets it", () => {
		expect(
			mergePolicies(
				compiled({ timeout: "1s" }),
				undefined,
				compiled({ timeout: "2s", waitForReady: false }),
				compiled({ waitForReady: true, maxRequestMessageBytes: 10 }),
			),
		).toEqual({
			timeoutMs: 1000,
			waitForReady: false,
			maxRequestMessageBytes: 10,
		});
	});

	test("a nearer level may lengthen the timeout, and switch it off", () => {
		const far = compiled({ timeout: "1s" });
		expect(mergePolicies(compiled({ timeout: "9s" }), far).timeoutMs).toBe(
			9000,
		);
		expect(mergePolicies(compiled({ timeout: 0 }), far).timeoutMs).toBe(
			Infinity,
		);
	});

	test("retry and hedging displace each other", () => {
		const retry = compiled({ retryPolicy });
		const hedge = compiled({ hedgingPolicy });
		const once = compiled({ retryPolicy: false });
		expect(mergePolicies(hedge, retry).attempts?.kind).toBe("hedge");
		expect(mergePolicies(retry, hedge).attempts?.kind).toBe("retry");
		expect(mergePolicies(once, hedge).attempts?.kind).toBe("once");
		expect(mergePolicies(compiled({ timeout: 1 }), hedge).attempts?.kind).toBe(
			"hedge",
		);
	});

	test("no level is changed, and none makes an empty policy", () => {
		const near = compiled({ timeout: 1 });
		mergePolicies(near, compiled({ waitForReady: true }));
		expect(near).toEqual({ timeoutMs: 1 });
		expect(mergePolicies()).toEqual({});
	});
});

test("what a wide level says reaches a streaming method without its timeout", () => {
	expect(forStreaming(compiled({ timeout: "1s", waitForReady: true }))).toEqual(
		{ waitForReady: true },
	);
});
