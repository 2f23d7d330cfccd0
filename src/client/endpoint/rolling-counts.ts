/** How finely a window rolls on: what it counts falls out of it a tenth at a time. */
const BUCKETS = 10;

/** How many calls ended, and how many of them failed, in the last so many milliseconds. */
export class RollingCounts {
	readonly #bucketMs: number;
	/** A ring: the bucket number n stands at n % BUCKETS. */
	readonly #calls: number[] = new Array<number>(BUCKETS).fill(0);
	readonly #failures: number[] = new Array<number>(BUCKETS).fill(0);
	#newest: number;
	#allCalls = 0;
	#allFailures = 0;

	/** `now`: milliseconds, as in the other functions. */
	constructor(windowMs: number, now: number) {
		this.#bucketMs = windowMs / BUCKETS;
		this.#newest = this.#bucketAt(now);
	}

	/** In the window that the last `add` saw. */
	get calls(): number {
		return this.#allCalls;
	}

	get failures(): number {
		return this.#allFailures;
	}

	add(failed: boolean, now: number): void {
		this.#rollTo(this.#bucketAt(now));
		const at = this.#newest % BUCKETS;
		this.#calls[at] = (this.#calls[at] ?? 0) + 1;
		this.#allCalls += 1;
		if (failed) {
			this.#failures[at] = (this.#failures[at] ?? 0) + 1;
			this.#allFailures += 1;
		}
	}

	#bucketAt(now: number): number {
		return Math.floor(now / this.#bucketMs);
	}

	#rollTo(bucket: number): void {
		// After a pause of a window and more, each bucket is emptied once.
		let next = Math.max(this.#newest + 1, bucket - BUCKETS + 1);
		for (; next <= bucket; next += 1) {
			const at = next % BUCKETS;
			this.#allCalls -= this.#calls[at] ?? 0;
			this.#allFailures -= this.#failures[at] ?? 0;
			this.#calls[at] = 0;
			this.#failures[at] = 0;
		}
		this.#newest = Math.max(this.#newest, bucket);
	}
}
