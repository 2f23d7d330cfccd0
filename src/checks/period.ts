import { parseDuration } from "./duration.ts";
import { OptionError, shown } from "./option-error.ts";

/**
 * Converts a duration to milliseconds, as `parseDuration` does, and refuses 0.
 *
 * @param where the path of the option, for the error message
 * @throws OptionError for a duration of 0 and for what is not a duration
 */
export function parsePeriod(value: unknown, where: string): number {
	const ms = parseDuration(value, where);
	if (ms > 0) return ms;
	throw new OptionError(where, `${shown(value)} is not more than 0`);
}
