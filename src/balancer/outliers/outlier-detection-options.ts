import { Code } from "@connectrpc/connect";
import { type Duration, parseDuration } from "../../checks/duration.ts";
import { onlyDefined } from "../../checks/only-defined.ts";
import {
	type Check,
	checkOptions,
	either,
	integer,
	type OptionTable,
	oneOf,
	optionsOf,
} from "../../checks/option-table.ts";
import { parsePeriod } from "../../checks/period.ts";
import type { CodeName } from "../../policy/code.ts";
import { parseFailureCodes } from "../../policy/failure-codes.ts";

/**
 * Which endpoints are sick, and for how long they get no calls: gRFC A50, with
 * its names and its defaults, and Envoy's consecutive failures.
 *
 * A call has failed when it ends with one of `failureStatusCodes`: UNAVAILABLE,
 * DEADLINE_EXCEEDED or INTERNAL, unless the option says otherwise. One that ends
 * with CANCELED does not count: its caller let go. All other codes are answers of
 * a server that works; so are UNKNOWN and codes that gRPC does not know, with
 * which applications speak of a call. (A50 counts each code but OK as a failure,
 * so that a client with bad requests makes servers look sick.)
 */
export interface OutlierDetectionOptions {
	/**
	 * The time between two looks at the failure rates, which is also when endpoints come back: milliseconds, or "10s".
	 * More than 0. Default: 10 s.
	 */
	interval?: Duration | undefined;
	/**
	 * How long the first ejection of an endpoint lasts; the next one soon after lasts twice as long, and so on:
	 * milliseconds, or "30s". Default: 30 s.
	 */
	baseEjectionTime?: Duration | undefined;
	/** The longest an ejection lasts, unless `baseEjectionTime` is longer: milliseconds, or "300s". Default: 300 s. */
	maxEjectionTime?: Duration | undefined;
	/**
	 * The most endpoints that failure rates eject, in percent of all; but one may always go. 0: they eject none.
	 * Default: 10.
	 */
	maxEjectionPercent?: number | undefined;
	/**
	 * Ejects endpoints that fail more than the others do. `false` switches it off. Default: on, with the defaults
	 * below.
	 */
	successRateEjection?: SuccessRateEjection | false | undefined;
	/**
	 * Ejects endpoints that fail much, whatever the others do. `false` switches it off. Default: on, with the defaults
	 * below.
	 */
	failurePercentageEjection?: FailurePercentageEjection | false | undefined;
	/**
	 * How many failures in a row eject an endpoint at once, but never more than half of the endpoints. `false`
	 * switches it off. Default: 5.
	 */
	consecutiveFailures?: number | false | undefined;
	/**
	 * The codes with which a call counts as failed. With UNKNOWN in the list, codes that gRPC does not know count,
	 * too; CANCELLED is refused. Default: UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL.
	 */
	failureStatusCodes?: readonly (CodeName | Code)[] | undefined;
}

export interface SuccessRateEjection {
	/**
	 * How far below the mean success rate an endpoint is an outlier, in thousandths of standard deviations. Default:
	 * 1900.
	 */
	stdevFactor?: number | undefined;
	/** The chance that an outlier is ejected, in percent. Default: 100. */
	enforcementPercentage?: number | undefined;
	/** The fewest endpoints with `requestVolume` calls; with fewer, none is ejected. Default: 5. */
	minimumHosts?: number | undefined;
	/** The fewest calls of an endpoint in an interval; with fewer, it is not looked at. Default: 100. */
	requestVolume?: number | undefined;
}

export interface FailurePercentageEjection {
	/** The part of its calls that must fail for an endpoint to be an outlier: more than this, in percent. Default: 85. */
	threshold?: number | undefined;
	/** The chance that an outlier is ejected, in percent. Default: 100. */
	enforcementPercentage?: number | undefined;
	/** The fewest endpoints with `requestVolume` calls; with fewer, none is ejected. Default: 5. */
	minimumHosts?: number | undefined;
	/** The fewest calls of an endpoint in an interval; with fewer, it is not looked at. Default: 50. */
	requestVolume?: number | undefined;
}

/** Options that have been checked, with the defaults in their places. */
export interface CompiledOutlierDetection {
	readonly intervalMs: number;
	readonly baseEjectionMs: number;
	readonly maxEjectionMs: number;
	readonly maxEjectionPercent: number;
	readonly successRate: CompiledSuccessRate | undefined;
	readonly failurePercentage: CompiledFailurePercentage | undefined;
	/** Infinity when switched off. */
	readonly consecutiveFailures: number;
	readonly failureCodes: ReadonlySet<Code>;
}

export type CompiledSuccessRate = Readonly<
	Record<keyof SuccessRateEjection, number>
>;
export type CompiledFailurePercentage = Readonly<
	Record<keyof FailurePercentageEjection, number>
>;

/** The codes with which a sick server, or a lost connection, ends a call. */
const FAILURE_CODES: ReadonlySet<Code> = new Set([
	Code.Unavailable,
	Code.DeadlineExceeded,
	Code.Internal,
]);

const SUCCESS_RATE: CompiledSuccessRate = {
	stdevFactor: 1900,
	enforcementPercentage: 100,
	minimumHosts: 5,
	requestVolume: 100,
};

const FAILURE_PERCENTAGE: CompiledFailurePercentage = {
	threshold: 85,
	enforcementPercentage: 100,
	minimumHosts: 5,
	requestVolume: 50,
};

const percentage = integer(0, 100);

const successRate: OptionTable<SuccessRateEjection> = {
	stdevFactor: integer(0),
	enforcementPercentage: percentage,
	minimumHosts: integer(1),
	requestVolume: integer(1),
};

const failurePercentage: OptionTable<FailurePercentageEjection> = {
	threshold: percentage,
	enforcementPercentage: percentage,
	minimumHosts: integer(1),
	requestVolume: integer(1),
};

const outlierDetection: OptionTable<OutlierDetectionOptions> = {
	interval: parsePeriod,
	baseEjectionTime: parseDuration,
	maxEjectionTime: parseDuration,
	maxEjectionPercent: percentage,
	successRateEjection: orFalse("an object", optionsOf(successRate)),
	failurePercentageEjection: orFalse("an object", optionsOf(failurePercentage)),
	consecutiveFailures: orFalse("a whole number that is 1 or more", integer(1)),
	failureStatusCodes: parseFailureCodes,
};

function orFalse<T>(what: string, check: Check<T>): Check<T | false> {
	return either<T | false>(`${what}, or false`, oneOf(false), check);
}

/**
 * Checks the option `outlierDetection`, and puts in the defaults; `undefined`
 * has nothing but them, and `false` is `undefined`: switched off.
 *
 * @throws OptionError with the path of the first bad field
 */
export function compileOutlierDetection(
	value: unknown,
	where: string,
): CompiledOutlierDetection | undefined {
	if (value === false) return undefined;
	const options = value === undefined ? {} : value;
	checkOptions(options, outlierDetection, where);
	const ms = (value: Duration): number => parseDuration(value, where);
	return {
		intervalMs: ms(options.interval ?? "10s"),
		baseEjectionMs: ms(options.baseEjectionTime ?? "30s"),
		maxEjectionMs: ms(options.maxEjectionTime ?? "300s"),
		maxEjectionPercent: options.maxEjectionPercent ?? 10,
		successRate: filled(options.successRateEjection, SUCCESS_RATE),
		failurePercentage: filled(
			options.failurePercentageEjection,
			FAILURE_PERCENTAGE,
		),
		consecutiveFailures:
			options.consecutiveFailures === false
				? Number.POSITIVE_INFINITY
				: (options.consecutiveFailures ?? 5),
		failureCodes:
			options.failureStatusCodes === undefined
				? FAILURE_CODES
				: parseFailureCodes(options.failureStatusCodes, where),
	};
}

/** What is given over what is not; undefined for `false`. */
function filled<T extends object>(
	given: Partial<Record<keyof T, unknown>> | false | undefined,
	defaults: T,
): T | undefined {
	return given === false
		? undefined
		: { ...defaults, ...onlyDefined(given ?? {}) };
}
