/** So many are looked at, evenly spread over all: enough for a median that need not be exact. */
const SAMPLE = 15;

/** What was found holds for so many milliseconds, unless there are more or fewer to ask. */
const VALID_MS = 100;

/** The median latency of the endpoints whose latency is known, each called by a number. */
export class TypicalLatency {
	readonly #latencyAt: (endpoint: number, now: number) => number;
	readonly #known: number[] = [];
	readonly #places = new Map<number, number>();
	#value = Number.NaN;
	#validUntil = -Infinity;

	/** `latencyAt` tells an endpoint's own latency in milliseconds. */
	constructor(latencyAt: (endpoint: number, now: number) => number) {
		this.#latencyAt = latencyAt;
	}

	add(endpoint: number): void {
		if (this.#places.has(endpoint)) return;
		this.#places.set(endpoint, this.#known.length);
		this.#known.push(endpoint);
		this.#validUntil = -Infinity;
	}

	delete(endpoint: number): void {
		const place = this.#places.get(endpoint);
		if (place === undefined) return;
		this.#places.delete(endpoint);
		const last = this.#known.pop() as number;
		if (last !== endpoint) {
			this.#known[place] = last;
			this.#places.set(last, place);
		}
		this.#validUntil = -Infinity;
	}

	/** In milliseconds; NaN while none is known. */
	at(now: number): number {
		if (now >= this.#validUntil) {
			this.#value = this.#median(now);
			this.#validUntil = now + VALID_MS;
		}
		return this.#value;
	}

	#median(now: number): number {
		const count = Math.min(this.#known.length, SAMPLE);
		if (count === 0) return Number.NaN;
		const sample = new Float64Array(count);
		for (let i = 0; i < count; i++) {
			const place = Math.floor((i * this.#known.length) / count);
			sample[i] = this.#latencyAt(this.#known[place] as number, now);
		}
		return sample.sort()[(count - 1) >> 1] as number;
	}
}
