/** The times between attempts, in milliseconds. */
export interface BackoffPace {
	/** After the first failure. */
	readonly initialMs: number;
	/** Of each time, to the one before. */
	readonly multiplier: number;
	readonly maxMs: number;
}

/**
 * That of connections (grpc/connection-backoff), but for the longest: gRPC's two minutes would make an outage longer than
 * it is.
 */
export const DEFAULT_PACE: BackoffPace = {
	initialMs: 1000,
	multiplier: 1.6,
	maxMs: 15_000,
};

const JITTER = 0.2;

/** Exponential backoff with jitter, from the start of one attempt to the start of the next. */
export class Backoff {
	readonly #random: () => number;
	readonly #pace: BackoffPace;
	#baseMs: number;

	/** `random`: at least 0, less than 1. */
	constructor(random: () => number, pace: Partial<BackoffPace> = {}) {
		this.#random = random;
		this.#pace = { ...DEFAULT_PACE, ...pace };
		this.#baseMs = this.#pace.initialMs;
	}

	/** Milliseconds until the next attempt; longer every time. */
	next(): number {
		const { multiplier, maxMs } = this.#pace;
		const ms = this.#baseMs * (1 - JITTER + 2 * JITTER * this.#random());
		this.#baseMs = Math.min(this.#baseMs * multiplier, maxMs);
		return ms;
	}

	reset(): void {
		this.#baseMs = this.#pace.initialMs;
	}
}
