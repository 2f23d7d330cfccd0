/** How many bytes of requests the calls of a channel may keep, in all, to send them again (gRFC A6). */
export class RetryBudget {
	readonly #maxBytes: number;
	#usedBytes = 0;

	constructor(maxBytes: number) {
		this.#maxBytes = maxBytes;
	}

	get usedBytes(): number {
		return this.#usedBytes;
	}

	/** Takes `bytes`; false, and takes none, when there are not that many left. */
	take(bytes: number): boolean {
		if (this.#usedBytes + bytes > this.#maxBytes) return false;
		this.#usedBytes += bytes;
		return true;
	}

	giveBack(bytes: number): void {
		this.#usedBytes -= bytes;
	}
}

/** Never added to: most calls would make an array only to drop it. */
const NO_FRAMES: Uint8Array[] = [];

/** The framed messages of a request, as they were written: what a further attempt starts with. */
export class RequestBuffer {
	readonly #budget: RetryBudget;
	readonly #maxBytes: number;
	#frames: Uint8Array[] = NO_FRAMES;
	#bytes = 0;
	#closed = false;

	/** `maxBytes`: of one call. */
	constructor(budget: RetryBudget, maxBytes: number) {
		this.#budget = budget;
		this.#maxBytes = maxBytes;
	}

	get frames(): readonly Uint8Array[] {
		return this.#frames;
	}

	/** The request ends after these frames. */
	get closed(): boolean {
		return this.#closed;
	}

	close(): void {
		this.#closed = true;
	}

	/** Keeps a frame; false when it goes beyond what the call or its channel may keep. It is kept all the same, until `free`. */
	add(frame: Uint8Array): boolean {
		if (this.#frames === NO_FRAMES) this.#frames = [frame];
		else this.#frames.push(frame);
		const bytes = frame.length;
		if (this.#bytes + bytes > this.#maxBytes || !this.#budget.take(bytes)) {
			return false;
		}
		this.#bytes += bytes;
		return true;
	}

	/** Forgets all frames. */
	free(): void {
		this.#budget.giveBack(this.#bytes);
		this.#bytes = 0;
		this.#frames = NO_FRAMES;
	}
}
