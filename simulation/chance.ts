import { seeded } from "../testdata/harness/seeded.ts";

/**
 * A source of random numbers of at least 0 and less than 1. The same seed and name give the same numbers, whatever is drawn
 * from other sources.
 */
export function chance(seed: number, name: string): () => number {
	let hash = seed;
	for (let i = 0; i < name.length; i++) {
		hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
	}
	const random = seeded(hash);
	// Skip the first numbers, which are similar for neighbouring seeds.
	for (let i = 0; i < 16; i++) random();
	return random;
}

/** Draws the time between two independent events: an exponential distribution. */
export function exponential(random: () => number, mean: number): number {
	return -Math.log(1 - random()) * mean;
}

/** Draws a service time: a log-normal distribution, in which a few values are much longer than most. */
export function logNormal(
	random: () => number,
	median: number,
	spread: number,
): number {
	const normal =
		Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
	return median * Math.exp(spread * normal);
}
