/** Numbers that look random and are the same in every run: at least 0, less than 1 (xorshift, Marsaglia 2003). */
export function seeded(seed: number): () => number {
	let state = (seed | 0) ^ 0x9e3779b9 || 1;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) / 2 ** 32;
	};
}

/** A whole number, `min` and `max` included. */
export function between(
	random: () => number,
	min: number,
	max: number,
): number {
	return min + Math.floor(random() * (max - min + 1));
}
