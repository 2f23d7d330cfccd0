/**
 * The heaviest weighs at most so many times the mean: it bounds how many are
 * passed over for each turn. Among 100 or fewer none can weigh more.
 */
export const MAX_RATIO = 100;

/** Spreads where in their period neighbours are, however many there are: no sum of it comes near another. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * Turns by weight: a static stride schedule (gRFC A58). Going round and round,
 * it gives each a turn as often as its weights, summed up, make a full weight of
 * the heaviest. So with whole weights each has exactly its share in as many
 * rounds as the heaviest weighs, and is never more than one turn off. Those of
 * the same weight have theirs in different rounds.
 *
 * Differs from A58: nothing is rounded to 16 bits, and weights that are far
 * below the mean count as they are.
 */
export class Stride {
	readonly #weights: Float64Array;
	/** What each is due, short of a turn. */
	readonly #due: Float64Array;
	readonly #full: number;
	#next: number;

	/** @param start at least 0, less than 1: where to begin */
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

	/** The index of the one whose turn it is. */
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
