import type { Code } from "@connectrpc/connect";
import { type Duration, parseDuration } from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import { type Check, listOf } from "../../checks/option-table.ts";
import { type CodeName, parseCode } from "../code.ts";
import {
	maxAttempts,
	type PolicyRules,
	policyFields,
} from "../policy-rules.ts";
import { parseDouble } from "../proto-json.ts";

/** When a failed call is tried again (gRFC A6). */
export interface RetryPolicy {
	/**
	 * The most attempts of a call, with the first: 2 or more. More than 5 counts as 5, unless the channel option
	 * `maxAttempts` says otherwise.
	 */
	maxAttempts: number;
	/** The wait before the first retry, 20 % more or less by chance: milliseconds, or "0.1s". More than 0. */
	initialBackoff: Duration;
	/** The longest wait before a retry, before chance adds to it: milliseconds, or "1s". More than 0. */
	maxBackoff: Duration;
	/** How many times longer each wait is than the one before. More than 0. */
	backoffMultiplier: number;
	/** The codes after which a call is tried again; any other ends it. At least one: ["UNAVAILABLE"]. */
	retryableStatusCodes: readonly (CodeName | Code)[];
}

/** A retry policy that has been checked. */
export interface CompiledRetryPolicy {
	readonly kind: "retry";
	/** As it was written: the channel has a cap for it. */
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
		initialBackoffMs: fields.required(
			"initialBackoff",
			aboveZero(parseDuration),
		),
		maxBackoffMs: fields.required("maxBackoff", aboveZero(parseDuration)),
		backoffMultiplier: fields.required(
			"backoffMultiplier",
			aboveZero(parseDouble),
		),
		retryableCodes: fields.required("retryableStatusCodes", retryableCodes),
	};
}

function aboveZero(parse: Check<number>): Check<number> {
	return (value, where) => {
		const number = parse(value, where);
		if (number <= 0) {
			throw new OptionError(where, `${shown(value)} is not more than 0`);
		}
		return number;
	};
}

function retryableCodes(value: unknown, where: string): ReadonlySet<Code> {
	const codes = new Set(listOf(parseCode)(value, where));
	if (codes.size === 0) {
		throw new OptionError(
			where,
			'is empty; name at least one code, as in ["UNAVAILABLE"]',
		);
	}
	return codes;
}
