import type { Clock } from "../../policy/clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** From one question to the next at least, in milliseconds. */
const MIN_GAP_MS = 100;

/** What takes long to read, as it is long, is asked for no sooner than so many times that, and in this time at most. */
const READING = { times: 20, maxMs: 2000 };

/** So many changes may be asked for as fast as that; then two a second. */
const NEWS = { size: 20, everyMs: 500 };

/** So many answers without news may come as fast; then one each 15 s. */
const NOISE = { size: 10, everyMs: 15_000 };

/**
 * How long to wait with a question whose answer has come. Not at all, as long
 * as answers are held back until there is news. A service that changes all the
 * time is asked for twice a second, and each answer has all that has happened.
 * An agent that holds nothing back, and news of no use, cost one question in
 * 15 s.
 */
export class QueryPace {
	readonly #clock: Clock;
	readonly #news: TokenBucket;
	readonly #noise: TokenBucket;
	#askedAt = 0;
	#answeredAt = 0;

	constructor(clock: Clock) {
		this.#clock = clock;
		this.#news = new TokenBucket(clock, NEWS.size, NEWS.everyMs);
		this.#noise = new TokenBucket(clock, NOISE.size, NOISE.everyMs);
	}

	asked(): void {
		this.#askedAt = this.#clock.now();
	}

	answered(): void {
		this.#answeredAt = this.#clock.now();
	}

	/** The answer has been read. Milliseconds until the next question. */
	delay(changed: boolean): number {
		const now = this.#clock.now();
		const readingMs = READING.times * (now - this.#answeredAt);
		const gapMs = Math.max(MIN_GAP_MS, Math.min(readingMs, READING.maxMs));
		const tokens = changed ? this.#news : this.#noise;
		return Math.max(tokens.take(), gapMs - (now - this.#askedAt), 0);
	}
}
