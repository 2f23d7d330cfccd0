/**
 * Draws by weight in constant time, of any number: Walker's alias method, set up
 * as Vose does (IEEE Transactions on Software Engineering 17, 1991). Each column
 * is drawn alike, and holds its own index up to a height, another's above it.
 */
export class AliasTable {
	readonly #heights: Float64Array;
	readonly #above: Uint32Array;

	/** @param weights positive, at least one */
	constructor(weights: readonly number[]) {
		const count = weights.length;
		let sum = 0;
		for (const weight of weights) sum += weight;
		const heights = new Float64Array(count);
		const above = new Uint32Array(count);
		// Columns that lack something from the left, those that have too much from the right.
		const stacks = new Uint32Array(count);
		let low = 0;
		let high = count;
		for (let i = 0; i < count; i++) {
			heights[i] = ((weights[i] as number) * count) / sum;
			if ((heights[i] as number) < 1) stacks[low++] = i;
			else stacks[--high] = i;
		}
		while (low > 0 && high < count) {
			const column = stacks[--low] as number;
			const giver = stacks[high] as number;
			above[column] = giver;
			const left =
				(heights[giver] as number) - (1 - (heights[column] as number));
			heights[giver] = left;
			if (left < 1) {
				high++;
				stacks[low++] = giver;
			}
		}
		// What is left is full, but for rounding.
		while (low > 0) heights[stacks[--low] as number] = 1;
		while (high < count) heights[stacks[high++] as number] = 1;
		this.#heights = heights;
		this.#above = above;
	}

	/** @param chance at least 0, less than 1 */
	draw(chance: number): number {
		const at = chance * this.#heights.length;
		const column = Math.floor(at);
		return at - column < (this.#heights[column] as number)
			? column
			: (this.#above[column] as number);
	}
}
