/** The time constant in milliseconds: after it, a sample counts 1/e, and after 23 seconds a tenth. */
const DECAY_MS = 10_000;

/** How much of 1 is left after this many milliseconds. */
export function decay(ms: number): number {
	return Math.exp(-ms / DECAY_MS);
}

/**
 * The estimate of an endpoint's latency after a sample, in milliseconds: a moving average that is sensitive to peaks, like
 * Finagle's "peak EWMA". A slower sample is believed at once. Towards a faster one, the average moves with the time that has
 * passed, however many samples there are. Without samples it fades to nothing, as `held × decay(ageMs)`, so that an endpoint
 * that was slow once is tried again.
 *
 * `held` is the estimate after the previous sample, `ageMs` ago. It is NaN before the first sample.
 */
export function peakEwma(held: number, ageMs: number, sample: number): number {
	const kept = decay(ageMs);
	return sample < held * kept ? sample + (held - sample) * kept : sample;
}
