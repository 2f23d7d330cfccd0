/** A pseudo-random generator with the same numbers in every run, of at least 0 and less than 1 (xorshift, Marsaglia 2003). */
export function seeded(seed: number): () => number {
	let state = (seed | 0) ^ 0x9e3779b9 || 1;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) / 2 ** 32;
	};
}

/** Draws a whole number from `min` to `max`, both included. */
export function between(
	random: () => number,
	min: number,
	max: number,
): number {
	return min + Math.floor(random() * (max - min + 1));
}
