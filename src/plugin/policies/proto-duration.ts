import { shown } from "../../checks/option-error.ts";

/** The units that people write, with their length in seconds. */
const units: readonly (readonly [RegExp, number])[] = [
	[/^(ms|msecs?|millis?(econds?)?)$/i, 0.001],
	[/^s(ecs?|econds?)?$/i, 1],
	[/^m(ins?|inutes?)?$/i, 60],
	[/^h(rs?|ours?)?$/i, 3600],
];

/** Says what is wrong with a duration in a proto, where durations are text, and suggests what was probably meant. */
export function durationProblem(value: unknown): string {
	const meant = meantBy(value);
	return `${shown(value)} is not a duration; write seconds as text, with at most 9 decimals, as in "2s" or "0.5s"${meant === undefined ? "" : `; did you mean "${meant}s"?`}`;
}

function meantBy(value: unknown): number | undefined {
	if (typeof value !== "string") return undefined;
	const [, number, word = ""] =
		/^\s*(\d*\.?\d+)\s*([a-z]+)\s*$/i.exec(value) ?? [];
	const unit = units.find(([pattern]) => pattern.test(word));
	// Rounded to whole nanoseconds, so that 1.1 minutes are 66 s and not slightly more.
	return number === undefined || unit === undefined
		? undefined
		: Math.round(Number(number) * unit[1] * 1e9) / 1e9;
}
