/** What has come of request messages, and has not been read by a handler, over all calls of a server. */
export class UnreadBytes {
	readonly #maxBytes: number;
	readonly #exceeded: () => void;
	#bytes = 0;
	#arrivals = 0;

	/** `exceeded`: hears whenever there are more than `maxBytes`. */
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

	/** Numbers what arrives, over all calls. */
	nextArrival(): number {
		return ++this.#arrivals;
	}

	/** So many more than before, or fewer. */
	change(bytes: number): void {
		this.#bytes += bytes;
		if (bytes > 0 && this.#bytes > this.#maxBytes) this.#exceeded();
	}
}
