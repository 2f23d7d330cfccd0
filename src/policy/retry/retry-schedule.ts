import type { CompiledRetryPolicy } from "./retry-policy.ts";

/** What a retry policy says of the time between attempts. */
type Backoffs = Pick<
	CompiledRetryPolicy,
	"initialBackoffMs" | "maxBackoffMs" | "backoffMultiplier"
>;

/** The share of a backoff by which chance makes it shorter or longer. */
const JITTER = 0.2;

/** When the retries of one call go (gRFC A6, "Exponential Backoff", with the jitter of its 2024 amendment, and "Pushback"). */
export class RetrySchedule {
	readonly #policy: Backoffs;
	readonly #random: () => number;
	/** Backoffs since the start, or since the server last said when. */
	#backoffs = 0;

	/** `random`: at least 0, less than 1. */
	constructor(policy: Backoffs, random: () => number) {
		this.#policy = policy;
		this.#random = random;
	}

	/**
	 * Milliseconds until the next retry: what the server asked for, to the
	 * millisecond, after which the backoff starts from the initial one again;
	 * else the backoff, `min(initial * multiplier^(n-1), max)`, 20 % more or
	 * less. Transparent retries do not ask.
	 */
	next(pushbackMs?: number): number {
		if (pushbackMs !== undefined) {
			this.#backoffs = 0;
			return pushbackMs;
		}
		const { initialBackoffMs, maxBackoffMs, backoffMultiplier } = this.#policy;
		const backoff = initialBackoffMs * backoffMultiplier ** this.#backoffs;
		this.#backoffs += 1;
		const jitter = 1 - JITTER + 2 * JITTER * this.#random();
		return Math.min(backoff, maxBackoffMs) * jitter;
	}
}

const MAX_INT32 = 2 ** 31 - 1;

/**
 * What a server asks for with `grpc-retry-pushback-ms` (gRFC A6): the
 * milliseconds until the next attempt, or "never". It asks for nothing
 * (`undefined`) when the header is not there. A value that is no signed 32-bit
 * integer, has needless zeros in front, is negative or is there twice is "never".
 *
 * @param values those of the header; repeated ones may be joined by a comma
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
