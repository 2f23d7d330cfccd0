/** The times between connection attempts (grpc/connection-backoff), in milliseconds. */
const INITIAL_MS = 1000;
const MULTIPLIER = 1.6;
const JITTER = 0.2;
const MAX_MS = 120_000;

/** Exponential backoff with jitter, from the start of one attempt to the start of the next. */
export class Backoff {
	readonly #random: () => number;
	readonly #maxMs: number;
	#baseMs: number = INITIAL_MS;

	/** `random`: at least 0, less than 1. */
	constructor(random: () => number, maxMs: number = MAX_MS) {
		this.#random = random;
		this.#maxMs = maxMs;
	}

	/** Milliseconds until the next attempt; longer every time. */
	next(): number {
		const ms = this.#baseMs * (1 - JITTER + 2 * JITTER * this.#random());
		this.#baseMs = Math.min(this.#baseMs * MULTIPLIER, this.#maxMs);
		return ms;
	}

	reset(): void {
		this.#baseMs = INITIAL_MS;
	}
}
