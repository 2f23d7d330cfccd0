import { describe, expect, it } from "vitest";
import { compileMethodPolicy } from "../../policy/method-policy.ts";
import { policyToConfig } from "./policy-to-config.ts";

describe("policyToConfig", () => {
	it.for([
		{},
		{ timeout: "0s" },
		{ timeout: "10s" },
		{ timeout: "0.000000001s" },
		{ timeout: "315576000000s" },
		{ waitForReady: false, maxRequestMessageBytes: 0 },
		{ maxResponseMessageBytes: 4294967295 },
		{ retryPolicy: false },
		{
			retryPolicy: {
				maxAttempts: 9,
				initialBackoff: "0.1s",
				maxBackoff: "100s",
				backoffMultiplier: 1.3,
				retryableStatusCodes: ["DEADLINE_EXCEEDED", "UNAVAILABLE"],
			},
		},
		{
			hedgingPolicy: {
				maxAttempts: 2,
				hedgingDelay: "0s",
				nonFatalStatusCodes: [],
			},
		},
	])("spells a policy as a service config does: %j", (policy) => {
		expect(policyToConfig(compileMethodPolicy(policy, ""))).toEqual(policy);
	});

	it("writes each code in a way that is read as the same code", () => {
		const retryPolicy = {
			maxAttempts: 2,
			initialBackoff: 1,
			maxBackoff: 1,
			backoffMultiplier: 1,
			retryableStatusCodes: Array.from({ length: 16 }, (_, index) => index + 1),
		};
		const compiled = compileMethodPolicy({ retryPolicy }, "");
		expect(compileMethodPolicy(policyToConfig(compiled), "")).toEqual(compiled);
	});
});
