import type { Clock } from "../../policy/clock.ts";

/** From one change to the next question, in milliseconds, when they come one after the other. */
const MIN_GAP_MS = 100;
const MAX_GAP_MS = 2000;

/** So many answers without news may come as fast as they like; then one each 15 s. */
const TOKENS = 10;
const TOKEN_MS = 15_000;

/**
 * How long to wait with a question whose answer has come. Not at all, as long
 * as answers are held back until there is news. A service that changes faster
 * than it is asked for is asked for less and less often, down to once in 2 s.
 * Answers that say nothing new spend tokens, so that an agent that holds
 * nothing back, or news of no use, cost one question in 15 s.
 */
export class QueryPace {
	readonly #clock: Clock;
	#askedAt = 0;
	#gapMs: number = MIN_GAP_MS;
	#tokens = TOKENS;
	#tokensAt: number;

	constructor(clock: Clock) {
		this.#clock = clock;
		this.#tokensAt = clock.now();
	}

	asked(): void {
		this.#askedAt = this.#clock.now();
	}

	/** An answer has come. Milliseconds until the next question. */
	delay(changed: boolean): number {
		const heldMs = this.#clock.now() - this.#askedAt;
		if (!changed) return this.#spend();
		this.#gapMs =
			heldMs >= this.#gapMs
				? MIN_GAP_MS
				: Math.min(this.#gapMs * 2, MAX_GAP_MS);
		return Math.max(this.#gapMs - heldMs, 0);
	}

	/** Takes a token, be it one that has yet to come. */
	#spend(): number {
		const now = this.#clock.now();
		const earned = (now - this.#tokensAt) / TOKEN_MS;
		this.#tokens = Math.min(this.#tokens + earned, TOKENS) - 1;
		this.#tokensAt = now;
		return this.#tokens >= 0 ? 0 : -this.#tokens * TOKEN_MS;
	}
}
