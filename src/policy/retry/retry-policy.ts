import type { Code } from "@connectrpc/connect";
import type { Duration } from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import { parsePeriod } from "../../checks/period.ts";
import { type CodeName, parseCodes } from "../code.ts";
import {
	maxAttempts,
	type PolicyRules,
	policyFields,
} from "../policy-rules.ts";
import { parseDouble } from "../proto-json.ts";

/** When a failed call is retried (gRFC A6, "Retry Policy"). */
export interface RetryPolicy {
	/**
	 * The largest number of attempts of a call, including the first: 2 or more. A value above 5 counts as 5, unless the
	 * channel option `maxAttempts` sets another limit.
	 */
	maxAttempts: number;
	/** The wait before the first retry, before a jitter of ±20 %: milliseconds, or "0.1s". More than 0. */
	initialBackoff: Duration;
	/** The longest wait before a retry, before a jitter of ±20 %: milliseconds, or "1s". More than 0. */
	maxBackoff: Duration;
	/** How many times longer each wait is than the one before. More than 0. */
	backoffMultiplier: number;
	/** The codes after which a call is retried; any other code ends it. At least one, as in ["UNAVAILABLE"]. */
	retryableStatusCodes: readonly (CodeName | Code)[];
}

/** A checked retry policy. */
export interface CompiledRetryPolicy {
	readonly kind: "retry";
	/** As written. The channel applies its own limit. */
	readonly maxAttempts: number;
	readonly initialBackoffMs: number;
	readonly maxBackoffMs: number;
	readonly backoffMultiplier: number;
	readonly retryableCodes: ReadonlySet<Code>;
}

/**
 * Checks a retry policy by the rules of gRFC A6.
 *
 * @throws OptionError with the path of the first bad field
 */
export function compileRetryPolicy(
	policy: unknown,
	where: string,
	rules: PolicyRules = {},
): CompiledRetryPolicy {
	const known: readonly (keyof RetryPolicy)[] = [
		"maxAttempts",
		"initialBackoff",
		"maxBackoff",
		"backoffMultiplier",
		"retryableStatusCodes",
	];
	const fields = policyFields(policy, known, where, rules);
	const attempts =
		rules.defaultMaxAttempts === undefined
			? fields.required("maxAttempts", maxAttempts)
			: (fields.optional("maxAttempts", maxAttempts) ??
				maxAttempts(rules.defaultMaxAttempts, "defaultMaxAttempts"));
	return {
		kind: "retry",
		maxAttempts: attempts,
		initialBackoffMs: fields.required("initialBackoff", parsePeriod),
		maxBackoffMs: fields.required("maxBackoff", parsePeriod),
		backoffMultiplier: fields.required("backoffMultiplier", multiplier),
		retryableCodes: fields.required("retryableStatusCodes", parseCodes),
	};
}

function multiplier(value: unknown, where: string): number {
	const number = parseDouble(value, where);
	if (number > 0) return number;
	throw new OptionError(where, `${shown(value)} is not more than 0`);
}
