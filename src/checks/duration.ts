import { OptionError, shown } from "./option-error.ts";

/** A length of time: a number of milliseconds, or a string of seconds as proto3 JSON writes it, such as "1.5s". */
export type Duration = number | `${number}s`;

/** The longest `google.protobuf.Duration`: about 10,000 years. */
const MAX_SECONDS = 315_576_000_000;

/**
 * Converts a duration to milliseconds. The result may have a fraction.
 *
 * Accepts a finite number of milliseconds that is 0 or more, or the JSON form
 * of `google.protobuf.Duration`: seconds with at most nine decimals ("0.5s" is
 * 500).
 *
 * @param where the path of the option, for the error message
 * @throws OptionError for any other value
 */
export function parseDuration(value: unknown, where: string): number {
	if (typeof value === "number") {
		if (value >= 0 && value <= MAX_SECONDS * 1000) {
			return value;
		}
		throw refused(value, where);
	}
	const match =
		typeof value === "string"
			? /^(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(value)
			: null;
	if (match === null) {
		throw refused(value, where);
	}
	const seconds = Number(match[1]);
	// The fraction is read as whole nanoseconds, so that "1.1s" is 1100 and not 1100.0000000000002.
	const nanoseconds = Number((match[2] ?? "").padEnd(9, "0"));
	if (seconds > MAX_SECONDS) {
		throw refused(value, where);
	}
	return seconds * 1000 + nanoseconds / 1_000_000;
}

function refused(value: unknown, where: string): OptionError {
	return new OptionError(
		where,
		`${shown(value)} is not a duration; write milliseconds as a number that is 0 or more, or seconds as in "1.5s" (at most 9 decimals)`,
	);
}

/** Formats milliseconds for error messages: `formatDuration(2000)` is "2 s", `formatDuration(150)` is "150 ms". */
export function formatDuration(ms: number): string {
	const rounded = round(ms);
	return Math.abs(rounded) < 1000
		? `${rounded} ms`
		: `${round(rounded / 1000)} s`;
}

function round(value: number): number {
	return Math.round(value * 1000) / 1000;
}
