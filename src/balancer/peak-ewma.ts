/** After so many milliseconds what is remembered counts 1/e, after 23 seconds a tenth. */
export const DECAY_MS = 10_000;

/**
 * What an endpoint's latency is held to be, in milliseconds: a moving average
 * that is sensitive to peaks, as Finagle's "peak EWMA" is. A slower sample is
 * believed at once; towards a faster one it moves with the time that has gone
 * by, however many samples there are. Unasked it fades to nothing, so that who
 * was slow once is tried again.
 */
export class PeakEwma {
	#value = Number.NaN;
	#at = 0;

	/** Whether there has been a sample. */
	get known(): boolean {
		return !Number.isNaN(this.#value);
	}

	/** As it has faded by `now`; NaN while nothing is known. */
	at(now: number): number {
		return this.#value * Math.exp((this.#at - now) / DECAY_MS);
	}

	sample(ms: number, now: number): void {
		const kept = Math.exp((this.#at - now) / DECAY_MS);
		const faster = ms < this.#value * kept;
		this.#value = faster ? ms + (this.#value - ms) * kept : ms;
		this.#at = now;
	}
}
