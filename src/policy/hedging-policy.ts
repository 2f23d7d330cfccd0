import type { Code } from "@connectrpc/connect";
import { type CodeName, parseCode } from "./code.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { listOf } from "./option-table.ts";
import { maxAttempts, type PolicyRules, policyFields } from "./policy-rules.ts";

/** Send a call several times without waiting for it to fail (gRFC A6). */
export interface HedgingPolicy {
	/** With the first attempt: 2 or more; more than 5 means 5 unless the channel raises the cap. */
	maxAttempts: number;
	/** Between one attempt and the next. 0 or none: all at once. */
	hedgingDelay?: Duration | undefined;
	/** Failures that send the next attempt at once; any other ends the call. */
	nonFatalStatusCodes?: readonly (CodeName | Code)[] | undefined;
}

/** A hedging policy that has been checked. */
export interface CompiledHedgingPolicy {
	readonly kind: "hedge";
	/** As it was written: the channel has a cap for it. */
	readonly maxAttempts: number;
	readonly hedgingDelayMs: number;
	readonly nonFatalCodes: ReadonlySet<Code>;
}

/**
 * Checks a hedging policy by the rules of gRFC A6.
 *
 * @throws PolicyError with the path of the first bad field
 */
export function compileHedgingPolicy(
	policy: unknown,
	where: string,
	rules: PolicyRules = {},
): CompiledHedgingPolicy {
	const known: readonly (keyof HedgingPolicy)[] = [
		"maxAttempts",
		"hedgingDelay",
		"nonFatalStatusCodes",
	];
	const fields = policyFields(policy, known, where, rules);
	return {
		kind: "hedge",
		maxAttempts: fields.required("maxAttempts", maxAttempts),
		hedgingDelayMs: fields.optional("hedgingDelay", parseDuration) ?? 0,
		nonFatalCodes: new Set(
			fields.optional("nonFatalStatusCodes", listOf(parseCode)),
		),
	};
}
