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
 * When calls of a method to an endpoint are not even tried, because too many of
 * those before them failed. `{}` switches breakers on with their defaults.
 *
 * A call has failed when it ends with one of `failureStatusCodes`: UNAVAILABLE,
 * DEADLINE_EXCEEDED, INTERNAL or RESOURCE_EXHAUSTED, unless the option says
 * otherwise. One that ends with CANCELED does not count; all other codes are
 * answers of a server that works; so are UNKNOWN and codes that gRPC does not
 * know, with which applications speak of a call.
 */
export interface CircuitBreakerOptions {
	/** How far back calls count: milliseconds, or "10s". More than 0. Default: 10 s. */
	window?: Duration | undefined;
	/**
	 * The part of the calls in the window that must fail for the breaker to open: more than 0, at most 1. Default:
	 * 0.5.
	 */
	failureRatio?: number | undefined;
	/** The fewest calls that must have ended in the window before the breaker can open. Default: 20. */
	minimumCalls?: number | undefined;
	/**
	 * How long an open breaker refuses all calls, before it lets one probe through at a time: milliseconds, or "5s".
	 * More than 0. Default: 5 s.
	 */
	openFor?: Duration | undefined;
	/** How many probes in a row must go well for the breaker to close; one that fails opens it again. Default: 2. */
	successesToClose?: number | undefined;
	/**
	 * The codes with which a call counts as failed. With UNKNOWN in the list, codes that gRPC does not know count,
	 * too; CANCELLED is refused. Default: UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, RESOURCE_EXHAUSTED.
	 */
	failureStatusCodes?: readonly (CodeName | Code)[] | undefined;
	/**
	 * Returns what a unary call gets when an open breaker has refused it: a message, or an init of it. What it throws
	 * is the call's error. The deadline and cancellation of the call hold here, too. Streams have no fallback.
	 * Default: the call fails with `error`.
	 */
	fallback?: ((call: CallInfo, error: ConnectError) => unknown) | undefined;
}

/** Options that have been checked, with the defaults in their places. */
export interface CompiledCircuitBreaker {
	readonly windowMs: number;
	readonly failureRatio: number;
	readonly minimumCalls: number;
	readonly openForMs: number;
	readonly successesToClose: number;
	readonly failureCodes: ReadonlySet<Code>;
	readonly fallback: CircuitBreakerOptions["fallback"];
}

/** The codes that speak against a server. */
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
 * Checks the option `circuitBreaker`, and puts in the defaults; `undefined` and
 * `false` are `undefined`: switched off.
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
