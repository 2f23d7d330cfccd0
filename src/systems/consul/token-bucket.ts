import type { Clock } from "../../policy/clock.ts";

/** Lets so many through at once, and then one each `everyMs`. */
export class TokenBucket {
	readonly #clock: Clock;
	readonly #size: number;
	readonly #everyMs: number;
	/** Below 0: taken before they came. */
	#tokens: number;
	#countedAt: number;

	constructor(clock: Clock, size: number, everyMs: number) {
		this.#clock = clock;
		this.#size = size;
		this.#everyMs = everyMs;
		this.#tokens = size;
		this.#countedAt = clock.now();
	}

	/** Takes a token, be it one that has yet to come. Returns the milliseconds until it is there. */
	take(): number {
		const now = this.#clock.now();
		const came = (now - this.#countedAt) / this.#everyMs;
		this.#tokens = Math.min(this.#tokens + came, this.#size) - 1;
		this.#countedAt = now;
		return this.#tokens >= 0 ? 0 : -this.#tokens * this.#everyMs;
	}
}
