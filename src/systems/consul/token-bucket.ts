import type { Clock } from "../../policy/clock.ts";

/** A token bucket: `size` tokens can be taken at once, and then one token in each `everyMs`. */
export class TokenBucket {
	readonly #clock: Clock;
	readonly #size: number;
	readonly #everyMs: number;
	/** A number below 0 means tokens that were taken in advance. */
	#tokens: number;
	#countedAt: number;

	constructor(clock: Clock, size: number, everyMs: number) {
		this.#clock = clock;
		this.#size = size;
		this.#everyMs = everyMs;
		this.#tokens = size;
		this.#countedAt = clock.now();
	}

	/** Takes a token, in advance if there is none. Returns the milliseconds until the token is available. */
	take(): number {
		const now = this.#clock.now();
		const came = (now - this.#countedAt) / this.#everyMs;
		this.#tokens = Math.min(this.#tokens + came, this.#size) - 1;
		this.#countedAt = now;
		return this.#tokens >= 0 ? 0 : -this.#tokens * this.#everyMs;
	}
}
