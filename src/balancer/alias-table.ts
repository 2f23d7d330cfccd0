/**
 * Draws a random index by weight in constant time, with Walker's alias method as Vose sets it up (IEEE Transactions on Software
 * Engineering 17, 1991). All columns are equally likely. Each holds its own index up to some height, and another index above.
 */
export class AliasTable {
	readonly #heights: Float64Array;
	readonly #above: Uint32Array;

	/** @param weights at least one weight; all are positive */
	constructor(weights: readonly number[]) {
		const count = weights.length;
		let sum = 0;
		for (const weight of weights) sum += weight;
		const heights = new Float64Array(count);
		const above = new Uint32Array(count);
		// Columns that are too low are collected from the left, and those that are too high from the right.
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
		// The remaining columns are full, except for rounding errors.
		while (low > 0) heights[stacks[--low] as number] = 1;
		while (high < count) heights[stacks[high++] as number] = 1;
		this.#heights = heights;
		this.#above = above;
	}

	/** @param chance a random number of at least 0 and less than 1 */
	draw(chance: number): number {
		const at = chance * this.#heights.length;
		const column = Math.floor(at);
		return at - column < (this.#heights[column] as number)
			? column
			: (this.#above[column] as number);
	}
}
