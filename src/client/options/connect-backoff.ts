import type { Duration } from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import {
	type Check,
	checkOptions,
	type OptionTable,
} from "../../checks/option-table.ts";
import { parsePeriod } from "../../checks/period.ts";
import { type BackoffPace, DEFAULT_PACE } from "../../policy/backoff.ts";

/**
 * How long an endpoint that could not be connected to is left alone, counted from the start of the attempt
 * (grpc/connection-backoff). Each time is up to a fifth shorter or longer, by chance. A connection that has answered a call
 * or lasted a second starts over; one that has served may end whenever it likes, and the next is made at once.
 */
export interface ConnectBackoff {
	/** The time after the first failure: milliseconds, or "1s". Default: 1 s, or `max` if that is less. */
	initial?: Duration | undefined;
	/** How many times longer each time is than the one before. 1 or more. Default: 1.6. */
	multiplier?: number | undefined;
	/** The longest time, before chance adds to it: milliseconds, or "15s". Default: 15 s, or `initial` if that is more. */
	max?: Duration | undefined;
}

const multiplier: Check<number> = (value, where) => {
	if (typeof value === "number" && value >= 1 && value < Infinity) return value;
	throw new OptionError(where, `${shown(value)} is not a number of 1 or more`);
};

const table: OptionTable<ConnectBackoff> = {
	initial: parsePeriod,
	multiplier,
	max: parsePeriod,
};

/** @throws OptionError that names the bad option */
export function compileConnectBackoff(
	options: unknown = {},
	where = "connectBackoff",
): BackoffPace {
	checkOptions<ConnectBackoff>(options, table, where);
	const { initial, multiplier = DEFAULT_PACE.multiplier, max } = options;
	const initialMs = initial && parsePeriod(initial, `${where}.initial`);
	const maxMs = max && parsePeriod(max, `${where}.max`);
	if (initialMs !== undefined && maxMs !== undefined && initialMs > maxMs) {
		throw new OptionError(
			`${where}.initial`,
			`${shown(initial)} is longer than ${where}.max, ${shown(max)}`,
		);
	}
	return {
		initialMs: initialMs ?? Math.min(DEFAULT_PACE.initialMs, maxMs ?? Infinity),
		multiplier,
		maxMs: maxMs ?? Math.max(DEFAULT_PACE.maxMs, initialMs ?? 0),
	};
}
