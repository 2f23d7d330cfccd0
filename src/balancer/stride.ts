/**
 * The highest ratio of a weight to the mean weight; higher weights are reduced. It limits how many entries are passed over in a
 * turn. With 100 entries or fewer, no weight can exceed it.
 */
export const MAX_RATIO = 100;

/** Spreads the starting points of neighbours evenly over their period, for any number of entries. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * Gives turns by weight: a static stride schedule (gRFC A58). It goes round all entries, and gives an entry a turn each time its
 * accumulated weight reaches that of the heaviest. With whole weights, each entry has exactly its share after as many rounds as
 * the heaviest weight, and is never more than one turn off. Entries of the same weight have their turns in different rounds.
 *
 * Unlike A58, weights are not rounded to 16 bits, and weights far below the mean count as they are.
 */
export class Stride {
	readonly #weights: Float64Array;
	/** How much of a turn each entry has earned. */
	readonly #due: Float64Array;
	readonly #full: number;
	#next: number;

	/** @param start where to begin: at least 0 and less than 1 */
	constructor(weights: readonly number[], start: number) {
		let sum = 0;
		let heaviest = 0;
		for (const weight of weights) {
			sum += weight;
			heaviest = Math.max(heaviest, weight);
		}
		const full = Math.min(heaviest, (sum / weights.length) * MAX_RATIO);
		this.#weights = new Float64Array(weights.length);
		this.#due = new Float64Array(weights.length);
		for (let i = 0; i < weights.length; i++) {
			this.#weights[i] = Math.min(weights[i] as number, full);
			const turns = start + i * GOLDEN_RATIO;
			this.#due[i] = (turns - Math.floor(turns)) * full;
		}
		this.#full = full;
		this.#next = Math.floor(start * weights.length);
	}

	/** Returns the index of the entry whose turn it is. */
	next(): number {
		for (;;) {
			const turn = this.#next;
			this.#next = turn + 1 === this.#weights.length ? 0 : turn + 1;
			const due = (this.#due[turn] as number) + (this.#weights[turn] as number);
			if (due >= this.#full) {
				this.#due[turn] = due - this.#full;
				return turn;
			}
			this.#due[turn] = due;
		}
	}
}
