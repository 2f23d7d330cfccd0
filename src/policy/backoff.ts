/** How long an exponential backoff waits, in milliseconds. */
export interface BackoffPace {
	/** The wait after the first failure. */
	readonly initialMs: number;
	/** How many times longer each wait is than the one before. */
	readonly multiplier: number;
	/** The longest wait, before jitter. */
	readonly maxMs: number;
}

/**
 * The backoff between attempts to connect (gRPC, "Connection Backoff Protocol"), but with 15 s as the longest wait. With
 * gRPC's two minutes, clients would stay disconnected long after an outage has ended.
 */
export const DEFAULT_PACE: BackoffPace = {
	initialMs: 1000,
	multiplier: 1.6,
	maxMs: 15_000,
};

/** The largest fraction by which jitter shortens or lengthens a wait (gRFC A6 and "Connection Backoff Protocol"). */
const JITTER = 0.2;

/**
 * Applies a jitter of ±20 % to a wait.
 *
 * @param random returns a number that is at least 0 and less than 1
 */
export function withJitter(ms: number, random: () => number): number {
	return ms * (1 - JITTER + 2 * JITTER * random());
}

/** Exponential backoff with a jitter of ±20 %. A wait counts from the start of one attempt to the start of the next. */
export class Backoff {
	readonly #random: () => number;
	readonly #pace: BackoffPace;
	#baseMs: number;

	/** @param random returns a number that is at least 0 and less than 1 */
	constructor(random: () => number, pace: Partial<BackoffPace> = {}) {
		this.#random = random;
		this.#pace = { ...DEFAULT_PACE, ...pace };
		this.#baseMs = this.#pace.initialMs;
	}

	/** Returns the milliseconds until the next attempt, and lengthens the wait after it. */
	next(): number {
		const { multiplier, maxMs } = this.#pace;
		const ms = withJitter(this.#baseMs, this.#random);
		this.#baseMs = Math.min(this.#baseMs * multiplier, maxMs);
		return ms;
	}

	/** Starts again with the initial wait. */
	reset(): void {
		this.#baseMs = this.#pace.initialMs;
	}
}
