import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { compileHedgingPolicy } from "./hedging-policy.ts";

test("a policy is compiled to milliseconds and a set of codes", () => {
	expect(
		compileHedgingPolicy(
			{
				maxAttempts: 3,
				hedgingDelay: "0.05s",
				nonFatalStatusCodes: ["UNAVAILABLE", "CANCELED"],
			},
			"hedgingPolicy",
		),
	).toEqual({
		kind: "hedge",
		maxAttempts: 3,
		hedgingDelayMs: 50,
		nonFatalCodes: new Set([Code.Unavailable, Code.Canceled]),
	});
});

test("by default there is no delay between attempts, and every failure is fatal", () => {
	expect(compileHedgingPolicy({ maxAttempts: 2 }, "hedgingPolicy")).toEqual({
		kind: "hedge",
		maxAttempts: 2,
		hedgingDelayMs: 0,
		nonFatalCodes: new Set(),
	});
});

test("maxAttempts is kept as written, because the channel applies the limit", () => {
	expect(compileHedgingPolicy({ maxAttempts: 9 }, "h").maxAttempts).toBe(9);
});

test.each<[object, string]>([
	[{}, "h.maxAttempts: is missing"],
	[{ maxAttempts: 1 }, "h.maxAttempts: 1 is too few"],
	[{ maxAttempts: 2, hedgingDelay: -1 }, "h.hedgingDelay: -1 is not a"],
	[
		{ maxAttempts: 2, nonFatalStatusCodes: [0] },
		"h.nonFatalStatusCodes[0]: OK is not a failure",
	],
])("%j is refused: %s", (policy, message) => {
	expect(() => compileHedgingPolicy(policy, "h")).toThrow(message);
});

test("the default of maxAttempts for retry policies does not apply to hedging policies", () => {
	expect(() =>
		compileHedgingPolicy({}, "h", { defaultMaxAttempts: 3 }),
	).toThrow("h.maxAttempts: is missing");
});

test("an unknown key is refused in options that a program wrote", () => {
	expect(() =>
		compileHedgingPolicy({ maxAttempts: 2, hedgeDelay: 5 }, "h", {
			refuseUnknown: true,
		}),
	).toThrow("h.hedgeDelay: is not an option; did you mean hedgingDelay?");
});
