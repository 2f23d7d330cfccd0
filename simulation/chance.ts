import { seeded } from "../testdata/harness/seeded.ts";

/** At least 0, less than 1; the same numbers for the same name and seed, whatever else draws from its own. */
export function chance(seed: number, name: string): () => number {
	let hash = seed;
	for (let i = 0; i < name.length; i++) {
		hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
	}
	const random = seeded(hash);
	// The first numbers of neighbouring seeds are alike.
	for (let i = 0; i < 16; i++) random();
	return random;
}

/** Times between events that know nothing of each other. */
export function exponential(random: () => number, mean: number): number {
	return -Math.log(1 - random()) * mean;
}

/** As the times of real work: few are much shorter than most, and some are much longer. */
export function logNormal(
	random: () => number,
	median: number,
	spread: number,
): number {
	const normal =
		Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
	return median * Math.exp(spread * normal);
}
