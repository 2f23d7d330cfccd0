import { ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../policy/clock.ts";
import { RetryRule } from "../../policy/retry/retry-rule.ts";
import { parsePushback } from "../../policy/retry/retry-schedule.ts";
import type { RetryThrottle } from "../../policy/retry/retry-throttle.ts";
import { showable } from "../../policy/showable.ts";
import { policyOf } from "../call/call-request.ts";
import { cancelled } from "./call-bounds.ts";
import type { CarriedCall } from "./carrier.ts";

/** The default of homing's channels. */
const MAX_ATTEMPTS = 5;

/** What all calls over one foreign transport share. */
export interface ForeignRetries {
	readonly clock: Clock;
	/** Returns a number from 0 up to, but not including, 1. */
	readonly random: () => number;
	readonly throttle: RetryThrottle;
}

/**
 * Makes attempts by the retry policy of a call (gRFC A6), until one succeeds or `signal` fires.
 *
 * With a hedging policy it makes one attempt: a request may still be on its way after the signal of its attempt has fired.
 * There is no transparent retry, because a transport does not tell whether a request has left.
 *
 * @param attempt resolves when the call is committed to it, and has succeeded as far as can be known by then
 */
export async function retried<T>(
	{ clock, random, throttle }: ForeignRetries,
	call: CarriedCall,
	signal: AbortSignal,
	attempt: (headers: Headers | undefined) => Promise<T>,
): Promise<T> {
	const { attempts } = policyOf(call);
	const rule =
		attempts?.kind === "retry"
			? new RetryRule(attempts, throttle, {
					maxAttempts: MAX_ATTEMPTS,
					random,
				})
			: undefined;
	let last: ConnectError | undefined;
	for (let previous = 0; ; previous++) {
		try {
			const outcome = await attempt(headersOf(call, previous));
			throttle.succeeded();
			return outcome;
		} catch (thrown) {
			if (signal.aborted) {
				throw cutShort(signal.reason, ` in attempt ${previous + 1}`, last);
			}
			last = ConnectError.from(showable(thrown));
			const decision = rule?.failed(last.code, pushbackOf(last));
			if (decision?.kind !== "next") throw thrown;
			await pause(clock, decision.delayMs, signal);
		}
		if (signal.aborted) {
			const made = previous === 0 ? "1 attempt" : `${previous + 1} attempts`;
			throw cutShort(signal.reason, ` after ${made}`, last);
		}
	}
}

function headersOf(
	{ headers }: CarriedCall,
	previous: number,
): Headers | undefined {
	if (previous === 0) return headers;
	const more = new Headers(headers);
	more.set("grpc-previous-rpc-attempts", String(previous));
	return more;
}

function pushbackOf({ metadata }: ConnectError): number | "never" | undefined {
	const value = metadata.get("grpc-retry-pushback-ms");
	return parsePushback(value === null ? [] : [value]);
}

/** Resolves after `ms` milliseconds, or when the signal fires. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const done = (): void => {
			clock.cancel(timer);
			signal.removeEventListener("abort", done);
			resolve();
		};
		const timer = clock.after(ms, done);
		signal.addEventListener("abort", done);
	});
}

/** The error of a call that was cancelled or whose deadline has passed. It also says how the attempt before failed, if there was one. */
function cutShort(
	reason: unknown,
	where: string,
	last: ConnectError | undefined,
): ConnectError {
	const error = cancelled(reason);
	if (last === undefined) return error;
	return new ConnectError(
		`${error.rawMessage}${where}; last: ${last.message}`,
		error.code,
		undefined,
		undefined,
		error.cause ?? reason,
	);
}
