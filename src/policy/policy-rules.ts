import { OptionError, shown } from "../checks/option-error.ts";
import { type Check, refuseUnknownKeys } from "../checks/option-table.ts";
import { JsonFields, parseUint32 } from "./proto-json.ts";

/** How strictly policies are read. Service configs and options that a program wrote differ in this. */
export interface PolicyRules {
	/** The `maxAttempts` of a `retryPolicy` that has none. Default: such a policy is an error. */
	readonly defaultMaxAttempts?: number | undefined;
	/** Whether an unknown key in a retry or hedging policy is an error. Default: false, as a service config requires. */
	readonly refuseUnknown?: boolean | undefined;
}

/** Reads the fields of a retry or hedging policy. Throws an OptionError for other keys if the rules refuse them. */
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

/** Checks `maxAttempts` of a retry or hedging policy: a whole number that is 2 or more. */
export const maxAttempts: Check<number> = (value, where) => {
	const attempts = parseUint32(value, where);
	if (attempts >= 2) return attempts;
	throw new OptionError(
		where,
		`${shown(value)} is too few; the first attempt counts, so write 2 or more, or leave the policy out`,
	);
};
