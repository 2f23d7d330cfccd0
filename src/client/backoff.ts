/** The times between connection attempts (grpc/connection-backoff), in milliseconds. */
const INITIAL_MS = 1000;
const MULTIPLIER = 1.6;
const JITTER = 0.2;
const MAX_MS = 120_000;

/** Exponential backoff with jitter, from the start of one attempt to the start of the next. */
export class Backoff {
	readonly #random: () => number;
	#baseMs: number = INITIAL_MS;

	/** `random`: at least 0, less than 1. */
	constructor(random: () => number) {
		this.#random = random;
	}

	/** Milliseconds until the next attempt; longer every time. */
	next(): number {
		const ms = this.#baseMs * (1 - JITTER + 2 * JITTER * this.#random());
		this.#baseMs = Math.min(this.#baseMs * MULTIPLIER, MAX_MS);
		return ms;
	}

	reset(): void {
		this.#baseMs = INITIAL_MS;
	}
}
