import { parseDuration } from "./duration.ts";
import { PolicyError, shown } from "./policy-error.ts";

/**
 * The milliseconds of a duration that is more than 0.
 *
 * @param where the path that the error names
 * @throws PolicyError for anything else
 */
export function parsePeriod(value: unknown, where: string): number {
	const ms = parseDuration(value, where);
	if (ms > 0) return ms;
	throw new PolicyError(where, `${shown(value)} is no time at all`);
}
