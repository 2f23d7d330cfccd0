import type { Code } from "@connectrpc/connect";
import { type Duration, parseDuration } from "../../checks/duration.ts";
import { listOf } from "../../checks/option-table.ts";
import { type CodeName, parseCode } from "../code.ts";
import {
	maxAttempts,
	type PolicyRules,
	policyFields,
} from "../policy-rules.ts";

/** When further attempts of a call are sent before the first has failed (gRFC A6, "Hedging Policy"). */
export interface HedgingPolicy {
	/**
	 * The largest number of attempts of a call, including the first: 2 or more. A value above 5 counts as 5, unless the
	 * channel option `maxAttempts` sets another limit.
	 */
	maxAttempts: number;
	/**
	 * The wait before each further attempt while none has succeeded: milliseconds, or "0.1s". Default: 0, which sends all
	 * attempts at once.
	 */
	hedgingDelay?: Duration | undefined;
	/**
	 * The codes with which an attempt may fail without failing the call: the other attempts continue, and the next one is
	 * sent at once. Any other code ends the call. Default: none.
	 */
	nonFatalStatusCodes?: readonly (CodeName | Code)[] | undefined;
}

/** A checked hedging policy. */
export interface CompiledHedgingPolicy {
	readonly kind: "hedge";
	/** As written. The channel applies its own limit. */
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
