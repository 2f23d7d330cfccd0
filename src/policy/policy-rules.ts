import { OptionError, shown } from "../checks/option-error.ts";
import { type Check, refuseUnknownKeys } from "../checks/option-table.ts";
import { JsonFields, parseUint32 } from "./proto-json.ts";

/** How policies are read, where that is not the same for every reader. */
export interface PolicyRules {
	/** For a `retryPolicy` without `maxAttempts`; without this, that is an error. */
	readonly defaultMaxAttempts?: number | undefined;
	/** Options that a program wrote: an unknown key in a retry or hedging policy is an error. In a service config it is ignored. */
	readonly refuseUnknown?: boolean | undefined;
}

/** The fields of a retry or hedging policy, and no others if the rules say so. */
export function policyFields(
	policy: unknown,
	known: readonly string[],
	where: string,
	rules: PolicyRules,
): JsonFields {
	const fields = new JsonFields(policy, where);
	if (rules.refuseUnknown) {
		refuseUnknownKeys(policy as object, known, where);
	}
	return fields;
}

/** The check of the attempts of a retry or hedging policy: 2 or more. */
export const maxAttempts: Check<number> = (value, where) => {
	const attempts = parseUint32(value, where);
	if (attempts >= 2) return attempts;
	throw new OptionError(
		where,
		`${shown(value)} is too few; the first attempt counts, so write 2 or more, or leave the policy out`,
	);
};
