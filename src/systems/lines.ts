const NEWLINE = 0x0a;

/** Splits a stream of bytes into lines, without the newlines. The text after the last newline is a line if it is not empty. */
export class Lines {
	readonly #maxBytes: number;
	readonly #tooLong: () => Error;
	#parts: Buffer[] = [];
	#bytes = 0;

	/** @param tooLong makes the error for a line of more than `maxBytes` */
	constructor(maxBytes: number, tooLong: () => Error) {
		this.#maxBytes = maxBytes;
		this.#tooLong = tooLong;
	}

	/** Adds a chunk, and yields the lines that end in it. */
	*add(chunk: Buffer): Generator<string, void, undefined> {
		let start = 0;
		for (;;) {
			const end = chunk.indexOf(NEWLINE, start);
			this.#keep(chunk.subarray(start, end === -1 ? undefined : end));
			if (end === -1) return;
			yield this.rest();
			start = end + 1;
		}
	}

	/** Returns and removes the text since the last newline. */
	rest(): string {
		const line = Buffer.concat(this.#parts).toString();
		this.#parts = [];
		this.#bytes = 0;
		return line;
	}

	#keep(part: Buffer): void {
		this.#parts.push(part);
		this.#bytes += part.length;
		if (this.#bytes > this.#maxBytes) throw this.#tooLong();
	}
}
