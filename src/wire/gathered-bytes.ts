const NOTHING = new Uint8Array(0);

/** So little is not worth growing to in steps. */
const LEAST_BYTES = 64;

/**
 * Bytes that came in pieces, in one buffer that grows with them: it takes at most four times what is in it, however
 * small the pieces were, and keeps nothing of the larger buffers that they came in.
 */
export class GatheredBytes {
	#buffer: Uint8Array = NOTHING;
	#start = 0;
	#end = 0;

	get length(): number {
		return this.#end - this.#start;
	}

	/** Of the buffer that they are in. */
	get size(): number {
		return this.#buffer.length;
	}

	at(index: number): number {
		return this.#buffer[this.#start + index] as number;
	}

	/** `wanted`: how many bytes there will be in all, as far as that is known. */
	append(piece: Uint8Array, wanted: number): void {
		if (this.#end + piece.length > this.#buffer.length) {
			this.#grow(this.length + piece.length, wanted);
		}
		this.#buffer.set(piece, this.#end);
		this.#end += piece.length;
	}

	/** Takes out the first bytes. They are not copied, and never written over. */
	take(count: number): Uint8Array {
		const taken = this.#buffer.subarray(this.#start, this.#start + count);
		this.#start += count;
		if (this.#start === this.#end) this.clear();
		return taken;
	}

	clear(): void {
		this.#buffer = NOTHING;
		this.#start = 0;
		this.#end = 0;
	}

	#grow(needed: number, wanted: number): void {
		const size = wanted > needed ? Math.min(wanted, 4 * needed) : 2 * needed;
		// Filled before it is read, and not part of a pool, which it would keep.
		const { buffer } = Buffer.allocUnsafeSlow(Math.max(size, LEAST_BYTES));
		const grown = new Uint8Array(buffer);
		grown.set(this.#buffer.subarray(this.#start, this.#end));
		this.#buffer = grown;
		this.#end -= this.#start;
		this.#start = 0;
	}
}
