const NEWLINE = 0x0a;

/** The lines of a stream of bytes, each without its end; what follows the last newline is a line if it is not empty. */
export class Lines {
	readonly #maxBytes: number;
	readonly #tooLong: () => Error;
	#parts: Buffer[] = [];
	#bytes = 0;

	/** @param tooLong makes the error of a line of more than `maxBytes` */
	constructor(maxBytes: number, tooLong: () => Error) {
		this.#maxBytes = maxBytes;
		this.#tooLong = tooLong;
	}

	/** The lines that end in this chunk. */
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

	/** What has come since the last newline. */
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
