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

test("without a delay all go at once, and without codes each failure is fatal", () => {
	expect(compileHedgingPolicy({ maxAttempts: 2 }, "hedgingPolicy")).toEqual({
		kind: "hedge",
		maxAttempts: 2,
		hedgingDelayMs: 0,
		nonFatalCodes: new Set(),
	});
});

test("the attempts stay as they are written: the channel has the cap", () => {
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

test("the default for retry attempts is not one for hedges", () => {
	expect(() =>
		compileHedgingPolicy({}, "h", { defaultMaxAttempts: 3 }),
	).toThrow("h.maxAttempts: is missing");
});

test("an unknown key is refused where a program wrote it", () => {
	expect(() =>
		compileHedgingPolicy({ maxAttempts: 2, hedgeDelay: 5 }, "h", {
			refuseUnknown: true,
		}),
	).toThrow("h.hedgeDelay: is not an option; did you mean hedgingDelay?");
});
