import type { PeakEwma } from "./peak-ewma.ts";

/** So many are looked at, evenly spread over all: enough for a median that need not be exact. */
const SAMPLE = 15;

/** What was found holds for so many milliseconds, unless there are more or fewer to ask. */
const VALID_MS = 100;

/** The median latency of the endpoints whose latency is known. */
export class TypicalLatency {
	readonly #known: PeakEwma[] = [];
	readonly #places = new Map<PeakEwma, number>();
	#value = Number.NaN;
	#validUntil = -Infinity;

	add(latency: PeakEwma): void {
		if (this.#places.has(latency)) return;
		this.#places.set(latency, this.#known.length);
		this.#known.push(latency);
		this.#validUntil = -Infinity;
	}

	delete(latency: PeakEwma): void {
		const place = this.#places.get(latency);
		if (place === undefined) return;
		this.#places.delete(latency);
		const last = this.#known.pop() as PeakEwma;
		if (last !== latency) {
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
			sample[i] = (this.#known[place] as PeakEwma).at(now);
		}
		return sample.sort()[(count - 1) >> 1] as number;
	}
}
