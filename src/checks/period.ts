import { parseDuration } from "./duration.ts";
import { OptionError, shown } from "./option-error.ts";

/**
 * The milliseconds of a duration that is more than 0.
 *
 * @param where the path that the error names
 * @throws OptionError for anything else
 */
export function parsePeriod(value: unknown, where: string): number {
	const ms = parseDuration(value, where);
	if (ms > 0) return ms;
	throw new OptionError(where, `${shown(value)} is no time at all`);
}
