import type { Clock } from "../../policy/clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** The least time between the starts of two queries, in milliseconds. */
const MIN_GAP_MS = 100;

/** A long answer takes long to read. The gap is then at least 20 times the reading time, up to 2 s. */
const READING = { times: 20, maxMs: 2000 };

/** 20 answers with changes may be queried without delay; then two in a second. */
const CHANGED = { size: 20, everyMs: 500 };

/** 10 answers without changes may be queried without delay; then one in 15 s. */
const UNCHANGED = { size: 10, everyMs: 15_000 };

/**
 * Decides how long to wait between an answer and the next query. There is no
 * wait as long as the agent holds answers back until something changes. A service
 * that changes all the time is queried twice a second; each answer contains all
 * changes before it. If the agent does not hold answers back, or its answers
 * bring no changes, it is queried once in 15 s.
 */
export class QueryPace {
	readonly #clock: Clock;
	readonly #changed: TokenBucket;
	readonly #unchanged: TokenBucket;
	#queriedAt = 0;
	#answeredAt = 0;

	constructor(clock: Clock) {
		this.#clock = clock;
		this.#changed = new TokenBucket(clock, CHANGED.size, CHANGED.everyMs);
		this.#unchanged = new TokenBucket(clock, UNCHANGED.size, UNCHANGED.everyMs);
	}

	queried(): void {
		this.#queriedAt = this.#clock.now();
	}

	answered(): void {
		this.#answeredAt = this.#clock.now();
	}

	/** Called when the answer has been read. Returns the milliseconds until the next query. */
	delay(changed: boolean): number {
		const now = this.#clock.now();
		const readingMs = READING.times * (now - this.#answeredAt);
		const gapMs = Math.max(MIN_GAP_MS, Math.min(readingMs, READING.maxMs));
		const tokens = changed ? this.#changed : this.#unchanged;
		return Math.max(tokens.take(), gapMs - (now - this.#queriedAt), 0);
	}
}
