import { createContextKey } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	type CallOptions,
	callOptionsKey,
	checkCallOptions,
	metadataOf,
	policyOfAdded,
	policyOfCall,
} from "./call-options.ts";

const retryPolicy = {
	maxAttempts: 2,
	initialBackoff: "1s",
	maxBackoff: "1s",
	backoffMultiplier: 1,
	retryableStatusCodes: ["UNAVAILABLE"],
} as const;

describe("policyOfCall", () => {
	test("returns an empty policy for a call without policy options", () => {
		expect(policyOfCall(undefined)).toEqual({});
		expect(policyOfCall({})).toEqual({});
		const absent: object = { timeoutMs: undefined, parent: undefined };
		expect(policyOfCall(absent)).toEqual({});
	});

	test("compiles every field of the options", () => {
		expect(
			policyOfCall({ timeoutMs: 1500, waitForReady: true, retryPolicy }),
		).toMatchObject({
			timeoutMs: 1500,
			waitForReady: true,
			attempts: { kind: "retry", maxAttempts: 2 },
		});
		expect(policyOfCall({ retryPolicy: false }).attempts).toEqual({
			kind: "once",
		});
		expect(
			policyOfCall({ hedgingPolicy: { maxAttempts: 2 } }).attempts,
		).toMatchObject({ kind: "hedge" });
	});

	test.each([0, -1, Infinity])(
		"timeoutMs %d switches the timeout off",
		(timeoutMs) => {
			expect(policyOfCall({ timeoutMs }).timeoutMs).toBe(Infinity);
		},
	);
});

describe("a bad option", () => {
	test.each<[object, string]>([
		[{ timeout: 5 }, "timeout: is not an option; did you mean timeoutMs?"],
		[{ waitForRedy: true }, "did you mean waitForReady?"],
		[{ timeoutMs: "2s" }, 'timeoutMs: "2s"'],
		[{ timeoutMs: Number.NaN }, "timeoutMs: NaN"],
		[{ waitForReady: "yes" }, "waitForReady: "],
		[{ retryPolicy: {} }, "retryPolicy.maxAttempts: "],
		[{ hedgingPolicy: { maxAttempts: 0 } }, "hedgingPolicy.maxAttempts: "],
		[
			{ retryPolicy, hedgingPolicy: { maxAttempts: 2 } },
			"hedgingPolicy: is given together with a retryPolicy",
		],
		[{ hashKey: 5 }, "hashKey: "],
		[{ signal: 5 }, "signal: "],
		[{ signal: new AbortController() }, "signal: "],
		[{ parent: true }, "parent: "],
		[{ contextValues: {} }, "contextValues: "],
		[{ onHeader: "x" }, "onHeader: "],
		[{ onTrailer: {} }, "onTrailer: "],
	])("%j is refused, naming it", (options, message) => {
		expect(() => policyOfCall(options as CallOptions)).toThrow(TypeError);
		expect(() => policyOfCall(options as CallOptions)).toThrow(message);
	});

	test("is also refused by checkCallOptions", () => {
		expect(() => checkCallOptions({ deadline: 5 } as CallOptions)).toThrow(
			"deadline: is not an option",
		);
	});
});

describe("metadataOf", () => {
	test("copies the headers, so that later changes have no effect", () => {
		const given = new Headers({ "x-a": "1" });
		const metadata = metadataOf(given);
		given.set("x-a", "2");
		expect(metadata?.get("x-a")).toBe("1");
	});

	test("accepts everything that the constructor of Headers accepts", () => {
		for (const init of [{ "X-A": "1" }, [["x-a", "1"]]] as HeadersInit[]) {
			expect(metadataOf(init)?.get("x-a")).toBe("1");
		}
		expect(metadataOf(undefined)).toBeUndefined();
	});

	test.each<[unknown]>([
		[{ "bad name": "x" }],
		[{ ":path": "/" }],
		[{ "": "x" }],
		[{ a: "line\nline" }],
		[{ a: "snow\u2603" }],
		[5],
		[null],
	])("refuses %j", (headers) => {
		expect(() => metadataOf(headers as HeadersInit)).toThrow(TypeError);
		expect(() => metadataOf(headers as HeadersInit)).toThrow(/^headers: ./);
	});
});

describe("callOptionsKey", () => {
	test("is a context key whose default value is undefined", () => {
		expect(callOptionsKey.defaultValue).toBeUndefined();
		expect(callOptionsKey.id).not.toBe(
			createContextKey(undefined, { description: "homing call options" }).id,
		);
	});

	test("is combined with the timeoutMs of the call", () => {
		expect(policyOfAdded(undefined, undefined)).toEqual({});
		expect(policyOfAdded(undefined, 0)).toEqual({ timeoutMs: Infinity });
		expect(policyOfAdded({ waitForReady: true }, 5)).toEqual({
			timeoutMs: 5,
			waitForReady: true,
		});
	});

	test.each<[object, string]>([
		[{ timeoutMs: 5 }, "callOptionsKey.timeoutMs: is not an option"],
		[{ waitForReady: 1 }, "callOptionsKey.waitForReady: "],
		[{ retryPolicy: {} }, "callOptionsKey.retryPolicy.maxAttempts: "],
	])("refuses %j, naming itself", (options, message) => {
		expect(() => policyOfAdded(options, undefined)).toThrow(message);
	});
});
