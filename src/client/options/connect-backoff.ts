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
 * How long to wait before connecting again to an endpoint to which a connection attempt has failed (gRPC's connection
 * backoff). The wait is counted from the start of the failed attempt, and is made up to 20 % shorter or longer at random.
 *
 * The backoff starts over once a connection has answered a call or has lasted for a second. When such a connection ends,
 * the next one is made at once.
 */
export interface ConnectBackoff {
	/** The wait after the first failure: milliseconds, or "1s". Default: 1 s, or `max` if that is less. */
	initial?: Duration | undefined;
	/** The factor by which the wait grows with each further failure: 1 or more. Default: 1.6. */
	multiplier?: number | undefined;
	/**
	 * The longest wait, before the random part is added: milliseconds, or "15s". Default: 15 s, or `initial` if that is
	 * more.
	 */
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

/**
 * Checks the option `connectBackoff` and fills in the defaults.
 *
 * @throws OptionError that names the bad field
 */
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
