/** After so many milliseconds what is remembered counts 1/e, after 23 seconds a tenth. */
const DECAY_MS = 10_000;

/** What is left of 1 after so many milliseconds. */
export function decay(ms: number): number {
	return Math.exp(-ms / DECAY_MS);
}

/**
 * What an endpoint's latency is held to be from a sample on, in milliseconds: a
 * moving average that is sensitive to peaks, as Finagle's "peak EWMA" is. A slower
 * sample is believed at once; towards a faster one the average moves with the time
 * that has gone by, however many samples there are. Unasked it fades to nothing,
 * as `held × decay(ageMs)`, so that who was slow once is tried again.
 *
 * `held` is what it was at the sample before, `ageMs` ago; NaN before the first.
 */
export function peakEwma(held: number, ageMs: number, sample: number): number {
	const kept = decay(ageMs);
	return sample < held * kept ? sample + (held - sample) * kept : sample;
}
