/** Counts the bytes of request messages that have arrived and that no handler has read, over all calls of a server. */
export class UnreadBytes {
	readonly #maxBytes: number;
	readonly #exceeded: () => void;
	#bytes = 0;
	#arrivals = 0;

	/** `exceeded` is called whenever there are more than `maxBytes`. */
	constructor(maxBytes: number, exceeded: () => void) {
		this.#maxBytes = maxBytes;
		this.#exceeded = exceeded;
	}

	get bytes(): number {
		return this.#bytes;
	}

	get maxBytes(): number {
		return this.#maxBytes;
	}

	/** Returns a number for something that arrives: higher than all before, over all calls. */
	nextArrival(): number {
		return ++this.#arrivals;
	}

	/** Adds `bytes`, which may be negative. */
	change(bytes: number): void {
		this.#bytes += bytes;
		if (bytes > 0 && this.#bytes > this.#maxBytes) this.#exceeded();
	}
}
