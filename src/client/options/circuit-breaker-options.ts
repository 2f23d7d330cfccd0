import { Code, type ConnectError } from "@connectrpc/connect";
import { type Duration, parseDuration } from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import {
	type Check,
	callable,
	checkOptions,
	integer,
	type OptionTable,
} from "../../checks/option-table.ts";
import { parsePeriod } from "../../checks/period.ts";
import type { CodeName } from "../../policy/code.ts";
import { parseFailureCodes } from "../../policy/failure-codes.ts";
import type { CallInfo } from "./hooks.ts";

/**
 * When a circuit breaker opens and closes again. There is one breaker for each method at each endpoint; `{}` switches
 * them on with the defaults below.
 *
 * A breaker starts closed, which lets all calls through. It opens when too many calls have failed, and then refuses
 * all calls. After a while it is half-open: it lets one probe at a time through, and closes when enough of them succeed.
 *
 * A call has failed if its status code is in `failureStatusCodes`. Calls that end with CANCELLED are not counted. All
 * other codes count as successes, because the server did answer. UNKNOWN, and codes that gRPC does not define, are
 * among those unless you list UNKNOWN: applications use them for errors of single calls.
 */
export interface CircuitBreakerOptions {
	/**
	 * Length of the sliding window in which calls are counted: milliseconds, or "10s". More than 0. Default: 10 s.
	 */
	window?: Duration | undefined;
	/**
	 * The fraction of the calls in the window that must fail for the breaker to open: more than 0, at most 1. Default:
	 * 0.5.
	 */
	failureRatio?: number | undefined;
	/** Completed calls needed in the window before the breaker may open. Default: 20. */
	minimumCalls?: number | undefined;
	/**
	 * How long an open breaker refuses all calls before it lets probes through: milliseconds, or "5s". More than 0.
	 * Default: 5 s.
	 */
	openFor?: Duration | undefined;
	/**
	 * How many probes must succeed in a row for the breaker to close. A probe that fails opens it again. Default: 2.
	 */
	successesToClose?: number | undefined;
	/**
	 * The status codes that count as failures. Listing UNKNOWN includes codes that gRPC does not define. CANCELLED is
	 * not allowed. Default: UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, RESOURCE_EXHAUSTED.
	 */
	failureStatusCodes?: readonly (CodeName | Code)[] | undefined;
	/**
	 * Returns the response of a unary call that an open breaker has refused: a message, or an object to make one from.
	 * It may return a promise, which is awaited until the deadline of the call. If it throws, the call fails with what
	 * it threw. Streaming calls have no fallback. Default: the call fails with `error`.
	 */
	fallback?: ((call: CallInfo, error: ConnectError) => unknown) | undefined;
}

/** Checked options, with the defaults filled in. */
export interface CompiledCircuitBreaker {
	readonly windowMs: number;
	readonly failureRatio: number;
	readonly minimumCalls: number;
	readonly openForMs: number;
	readonly successesToClose: number;
	readonly failureCodes: ReadonlySet<Code>;
	readonly fallback: CircuitBreakerOptions["fallback"];
}

/** The default of `failureStatusCodes`. */
const FAILURE_CODES: ReadonlySet<Code> = new Set([
	Code.Unavailable,
	Code.DeadlineExceeded,
	Code.Internal,
	Code.ResourceExhausted,
]);

const ratio: Check<number> = (value, where) => {
	if (typeof value === "number" && value > 0 && value <= 1) return value;
	throw new OptionError(
		where,
		`${shown(value)} is no ratio; write a number above 0, at most 1`,
	);
};

const circuitBreaker: OptionTable<CircuitBreakerOptions> = {
	window: parsePeriod,
	failureRatio: ratio,
	minimumCalls: integer(1),
	openFor: parsePeriod,
	successesToClose: integer(1),
	failureStatusCodes: parseFailureCodes,
	fallback: callable,
};

/**
 * Checks the option `circuitBreaker` and fills in the defaults. Returns undefined for `undefined` and `false`, which
 * switch breakers off.
 *
 * @throws OptionError with the path of the first bad field
 */
export function compileCircuitBreaker(
	value: unknown,
	where: string,
): CompiledCircuitBreaker | undefined {
	if (value === undefined || value === false) return undefined;
	const options = value;
	checkOptions<CircuitBreakerOptions>(options, circuitBreaker, where);
	return {
		windowMs: parseDuration(options.window ?? "10s", where),
		failureRatio: options.failureRatio ?? 0.5,
		minimumCalls: options.minimumCalls ?? 20,
		openForMs: parseDuration(options.openFor ?? "5s", where),
		successesToClose: options.successesToClose ?? 2,
		failureCodes:
			options.failureStatusCodes === undefined
				? FAILURE_CODES
				: parseFailureCodes(options.failureStatusCodes, where),
		fallback: options.fallback,
	};
}
