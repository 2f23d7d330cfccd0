import { withJitter } from "../backoff.ts";
import type { CompiledRetryPolicy } from "./retry-policy.ts";

/** The part of a retry policy that sets the time between attempts. */
type Backoffs = Pick<
	CompiledRetryPolicy,
	"initialBackoffMs" | "maxBackoffMs" | "backoffMultiplier"
>;

/**
 * The waits between the attempts of one call (gRFC A6, "Exponential Backoff" and "Pushback", with the jitter of its 2024
 * amendment). `Backoff` is for connections: it grows and is reset by other rules.
 */
export class RetrySchedule {
	readonly #policy: Backoffs;
	readonly #random: () => number;
	/** Backoffs since the start of the call, or since the server's last pushback. */
	#backoffs = 0;

	/** @param random returns a number that is at least 0 and less than 1 */
	constructor(policy: Backoffs, random: () => number) {
		this.#policy = policy;
		this.#random = random;
	}

	/**
	 * Returns the milliseconds until the next retry. With pushback, it is exactly
	 * the time that the server asked for, and the backoff starts again at the
	 * initial one. Otherwise it is the backoff, `min(initial * multiplier^(n-1),
	 * max)`, with a jitter of ±20 %. Not called for transparent retries.
	 */
	next(pushbackMs?: number): number {
		if (pushbackMs !== undefined) {
			this.#backoffs = 0;
			return pushbackMs;
		}
		const { initialBackoffMs, maxBackoffMs, backoffMultiplier } = this.#policy;
		const backoff = initialBackoffMs * backoffMultiplier ** this.#backoffs;
		this.#backoffs += 1;
		return withJitter(Math.min(backoff, maxBackoffMs), this.#random);
	}
}

const MAX_INT32 = 2 ** 31 - 1;

/**
 * Reads `grpc-retry-pushback-ms` (gRFC A6): the milliseconds that the server
 * asks the client to wait before the next attempt. Returns undefined when the
 * header is absent, and "never" when its value is negative, is not a signed
 * 32-bit integer, has leading zeros, or is repeated.
 *
 * @param values the values of the header; repeated values may be joined by a comma
 */
export function parsePushback(
	values: readonly string[],
): number | "never" | undefined {
	const [value, ...others] = values;
	if (value === undefined) return undefined;
	if (others.length > 0 || !/^(0|[1-9]\d{0,9})$/.test(value)) return "never";
	const ms = Number(value);
	return ms <= MAX_INT32 ? ms : "never";
}
