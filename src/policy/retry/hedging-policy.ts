import type { Code } from "@connectrpc/connect";
import { type Duration, parseDuration } from "../../checks/duration.ts";
import { listOf } from "../../checks/option-table.ts";
import { type CodeName, parseCode } from "../code.ts";
import {
	maxAttempts,
	type PolicyRules,
	policyFields,
} from "../policy-rules.ts";

/** Send a call several times without waiting for it to fail (gRFC A6). */
export interface HedgingPolicy {
	/**
	 * The most attempts of a call, with the first: 2 or more. More than 5 counts as 5, unless the channel option
	 * `maxAttempts` says otherwise.
	 */
	maxAttempts: number;
	/**
	 * The wait before each further attempt, while none has been answered: milliseconds, or "0.1s". Default: 0, all
	 * attempts at once.
	 */
	hedgingDelay?: Duration | undefined;
	/**
	 * The codes after which the other attempts go on, and the next is made at once; any other ends the call. Default:
	 * none.
	 */
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
 * @throws OptionError with the path of the first bad field
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
