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
	test("the compiled policy holds only the fields that the level sets", () => {
		expect(Object.keys(compiled({}))).toEqual([]);
		expect(Object.keys(compiled({ timeout: undefined }))).toEqual([]);
		expect(compiled({ timeout: "2s", waitForReady: false })).toEqual({
			timeoutMs: 2000,
			waitForReady: false,
		});
	});

	test("sizes may be numbers or proto3 JSON strings", () => {
		expect(
			compileMethodPolicy(
				{ maxRequestMessageBytes: "1024", maxResponseMessageBytes: 0 },
				"",
			),
		).toEqual({ maxRequestMessageBytes: 1024, maxResponseMessageBytes: 0 });
	});

	test.each([0, "0s"])(
		"a timeout of %j switches the timeout off",
		(timeout) => {
			expect(compileMethodPolicy({ timeout }, "")).toEqual({
				timeoutMs: Infinity,
			});
		},
	);

	test("retryPolicy and hedgingPolicy set the same field, attempts", () => {
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
				/^methods\.create\.hedgingPolicy: is given together with a retryPolicy; .*remove one/,
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

	test("the rules are applied to the retry and hedging policies inside", () => {
		const without = { ...retryPolicy, maxAttempts: undefined };
		expect(
			compileMethodPolicy({ retryPolicy: without }, "", {
				defaultMaxAttempts: 4,
			}).attempts,
		).toMatchObject({ maxAttempts: 4 });
	});

	test("checkOptions with the rows refuses the keys that compileMethodPolicy ignores", () => {
		const policy = { timeout: 5, colour: "red" };
		expect(compileMethodPolicy(policy, "")).toEqual({ timeoutMs: 5 });
		expect(() => checkOptions(policy, methodPolicyOptions)).toThrow(
			/^colour: is not an option/,
		);
	});
});

describe("mergePolicies", () => {
	test("each field is taken from the nearest level that sets it", () => {
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

	test("a nearer level may lengthen the timeout or switch it off", () => {
		const far = compiled({ timeout: "1s" });
		expect(mergePolicies(compiled({ timeout: "9s" }), far).timeoutMs).toBe(
			9000,
		);
		expect(mergePolicies(compiled({ timeout: 0 }), far).timeoutMs).toBe(
			Infinity,
		);
	});

	test("a nearer hedging policy replaces a farther retry policy, and the reverse", () => {
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

	test("merging does not change the levels, and merging no levels gives an empty policy", () => {
		const near = compiled({ timeout: 1 });
		mergePolicies(near, compiled({ waitForReady: true }));
		expect(near).toEqual({ timeoutMs: 1 });
		expect(mergePolicies()).toEqual({});
	});
});

test("a service-wide policy applies to a streaming method without its timeout", () => {
	expect(forStreaming(compiled({ timeout: "1s", waitForReady: true }))).toEqual(
		{ waitForReady: true },
	);
});
