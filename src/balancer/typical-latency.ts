/** How many endpoints are sampled, evenly spread over all. The median need not be exact. */
const SAMPLE = 15;

/** How long a result is reused, in milliseconds, unless the number of endpoints changes. */
const VALID_MS = 100;

/** The median latency of the endpoints whose latency is known. Endpoints are identified by numbers. */
export class TypicalLatency {
	readonly #latencyAt: (endpoint: number, now: number) => number;
	readonly #known: number[] = [];
	readonly #places = new Map<number, number>();
	#value = Number.NaN;
	#validUntil = -Infinity;

	/** @param latencyAt returns the latency of an endpoint in milliseconds */
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

	/** Returns the median in milliseconds. NaN if no latency is known. */
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
