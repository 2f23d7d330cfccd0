const NOTHING = new Uint8Array(0);

/** The smallest buffer: growing to this size in steps is not worth it. */
const LEAST_BYTES = 64;

/**
 * Collects bytes that arrive in pieces in one buffer, which grows with them. The buffer is at most four times as large as
 * its contents, however small the pieces are, and it keeps none of the larger buffers alive that the pieces came in.
 */
export class GatheredBytes {
	#buffer: Uint8Array = NOTHING;
	#start = 0;
	#end = 0;

	get length(): number {
		return this.#end - this.#start;
	}

	/** Size of the buffer that holds the bytes. */
	get size(): number {
		return this.#buffer.length;
	}

	at(index: number): number {
		return this.#buffer[this.#start + index] as number;
	}

	/** `wanted`: how many bytes there will be in total, as far as that is known. */
	append(piece: Uint8Array, wanted: number): void {
		if (this.#end + piece.length > this.#buffer.length) {
			this.#grow(this.length + piece.length, wanted);
		}
		this.#buffer.set(piece, this.#end);
		this.#end += piece.length;
	}

	/** Removes and returns the first `count` bytes. They are not copied, and never overwritten. */
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
		// It is filled before it is read. A slice of the pool would keep the whole pool alive.
		const { buffer } = Buffer.allocUnsafeSlow(Math.max(size, LEAST_BYTES));
		const grown = new Uint8Array(buffer);
		grown.set(this.#buffer.subarray(this.#start, this.#end));
		this.#buffer = grown;
		this.#end -= this.#start;
		this.#start = 0;
	}
}
