/**
 * Finds the candidate that a misspelled name most likely means. The comparison
 * ignores case, hyphens and underscores. A candidate is near enough when at most
 * three typing errors (fewer for a short name) lead to it. Returns undefined
 * when no candidate is near enough.
 */
export function nearMiss(
	name: string,
	candidates: Iterable<string>,
): string | undefined {
	const folded = fold(name);
	// At most a third of the characters may differ: "dns" is not a misspelling of "srv".
	let least = Math.min(3, Math.floor(folded.length / 3)) + 1;
	let nearest: string | undefined;
	for (const candidate of candidates) {
		const slips = distance(folded, fold(candidate));
		if (slips < least) {
			least = slips;
			nearest = candidate;
		}
	}
	return nearest;
}

function fold(name: string): string {
	return name.toLowerCase().replace(/[-_]/g, "");
}

/**
 * The edit distance: how many characters must be inserted, dropped, changed or
 * swapped with their neighbour (optimal string alignment).
 */
function distance(from: string, to: string): number {
	let beforeLast: number[] = [];
	let last = Array.from({ length: to.length + 1 }, (_, index) => index);
	for (let i = 1; i <= from.length; i++) {
		const row = [i];
		for (let j = 1; j <= to.length; j++) {
			const same = from[i - 1] === to[j - 1];
			const swapped = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
			row[j] = Math.min(
				(last[j] ?? 0) + 1,
				(row[j - 1] ?? 0) + 1,
				(last[j - 1] ?? 0) + (same ? 0 : 1),
				swapped ? (beforeLast[j - 2] ?? 0) + 1 : Infinity,
			);
		}
		beforeLast = last;
		last = row;
	}
	return last[to.length] ?? 0;
}
