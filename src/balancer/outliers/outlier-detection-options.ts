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
 * When outlier detection ejects an endpoint, and for how long. An ejected endpoint gets no calls, but keeps its
 * connection. The algorithms, names and defaults are those of gRFC A50, with Envoy's consecutive failures added.
 *
 * A call has failed if its status code is in `failureStatusCodes`. Calls that end with CANCELLED are not counted, because
 * the caller gave up. All other codes count as successes, because the server did answer. UNKNOWN, and codes that gRPC
 * does not define, are among those unless you list UNKNOWN: applications use them for errors of single calls. (gRFC A50
 * counts every code but OK as a failure, so that a client which sends bad requests makes healthy servers look sick.)
 */
export interface OutlierDetectionOptions {
	/**
	 * The time between two evaluations of the failure rates: milliseconds, or "10s". More than 0. Endpoints whose
	 * ejection is over come back at these times, too. Default: 10 s.
	 */
	interval?: Duration | undefined;
	/**
	 * How long the first ejection of an endpoint lasts: milliseconds, or "30s". If it is ejected again soon after, the
	 * second ejection lasts twice as long, the third three times as long, and so on. Default: 30 s.
	 */
	baseEjectionTime?: Duration | undefined;
	/**
	 * The longest an ejection may last: milliseconds, or "300s". If `baseEjectionTime` is longer, that is used.
	 * Default: 300 s.
	 */
	maxEjectionTime?: Duration | undefined;
	/**
	 * How many of the endpoints may be ejected for their failure rates at the same time, in percent. One endpoint may
	 * always be ejected, unless this is 0, which ejects none. Default: 10.
	 */
	maxEjectionPercent?: number | undefined;
	/**
	 * Ejects endpoints whose success rate is far below that of the others. `false` switches it off. Default: on, with
	 * the defaults of SuccessRateEjection.
	 */
	successRateEjection?: SuccessRateEjection | false | undefined;
	/**
	 * Ejects endpoints whose failure rate exceeds a threshold, however the others do. `false` switches it off. Default:
	 * on, with the defaults of FailurePercentageEjection.
	 */
	failurePercentageEjection?: FailurePercentageEjection | false | undefined;
	/**
	 * How many consecutive failures eject an endpoint at once, without waiting for `interval`. At most half of the
	 * endpoints are ejected in this way. `false` switches it off. Default: 5.
	 */
	consecutiveFailures?: number | false | undefined;
	/**
	 * The status codes that count as failures. Listing UNKNOWN includes codes that gRPC does not define. CANCELLED is
	 * not allowed. Default: UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL.
	 */
	failureStatusCodes?: readonly (CodeName | Code)[] | undefined;
}

/** Ejects endpoints whose success rate is an outlier among those of all endpoints (gRFC A50). */
export interface SuccessRateEjection {
	/**
	 * How many standard deviations below the mean a success rate must be, in thousandths: 1900 means 1.9. Default:
	 * 1900.
	 */
	stdevFactor?: number | undefined;
	/** The probability that an endpoint found to be an outlier is ejected, in percent. Default: 100. */
	enforcementPercentage?: number | undefined;
	/**
	 * How many endpoints must have at least `requestVolume` calls in an interval. With fewer, none is ejected.
	 * Default: 5.
	 */
	minimumHosts?: number | undefined;
	/** Calls that an endpoint needs in an interval to be evaluated. Default: 100. */
	requestVolume?: number | undefined;
}

/** Ejects endpoints whose failure rate exceeds a threshold (gRFC A50). */
export interface FailurePercentageEjection {
	/** An endpoint is an outlier if more than this share of its calls fails, in percent. Default: 85. */
	threshold?: number | undefined;
	/** The probability that an endpoint found to be an outlier is ejected, in percent. Default: 100. */
	enforcementPercentage?: number | undefined;
	/**
	 * How many endpoints must have at least `requestVolume` calls in an interval. With fewer, none is ejected.
	 * Default: 5.
	 */
	minimumHosts?: number | undefined;
	/** Calls that an endpoint needs in an interval to be evaluated. Default: 50. */
	requestVolume?: number | undefined;
}

/** Checked options, with the defaults filled in. */
export interface CompiledOutlierDetection {
	readonly intervalMs: number;
	readonly baseEjectionMs: number;
	readonly maxEjectionMs: number;
	readonly maxEjectionPercent: number;
	readonly successRate: CompiledSuccessRate | undefined;
	readonly failurePercentage: CompiledFailurePercentage | undefined;
	/** Infinity if consecutive failures eject nothing. */
	readonly consecutiveFailures: number;
	readonly failureCodes: ReadonlySet<Code>;
}

export type CompiledSuccessRate = Readonly<
	Record<keyof SuccessRateEjection, number>
>;
export type CompiledFailurePercentage = Readonly<
	Record<keyof FailurePercentageEjection, number>
>;

/** The default of `failureStatusCodes`: how calls end at a sick server or on a lost connection. */
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
 * Checks the option `outlierDetection` and fills in the defaults. Returns undefined for `false`, which switches outlier
 * detection off.
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

/** The given fields, with defaults for the others. Undefined for `false`. */
function filled<T extends object>(
	given: Partial<Record<keyof T, unknown>> | false | undefined,
	defaults: T,
): T | undefined {
	return given === false
		? undefined
		: { ...defaults, ...onlyDefined(given ?? {}) };
}
