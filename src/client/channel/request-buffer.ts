import { PREFIX_BYTES } from "../../wire/message-frame.ts";

/** The bytes of requests that all calls of a channel may buffer for retries (gRFC A6). */
export class RetryBudget {
	readonly #maxBytes: number;
	#usedBytes = 0;

	constructor(maxBytes: number) {
		this.#maxBytes = maxBytes;
	}

	get usedBytes(): number {
		return this.#usedBytes;
	}

	/** Reserves bytes. Returns false, and reserves none, if there are not enough left. */
	take(bytes: number): boolean {
		if (this.#usedBytes + bytes > this.#maxBytes) return false;
		this.#usedBytes += bytes;
		return true;
	}

	giveBack(bytes: number): void {
		this.#usedBytes -= bytes;
	}
}

/** Shared and never changed, because most calls need no array. */
const NO_MESSAGES: Uint8Array[] = [];

/** The messages of a request as they were sent, for further attempts. */
export class RequestBuffer {
	readonly #budget: RetryBudget;
	readonly #maxBytes: number;
	#messages: Uint8Array[] = NO_MESSAGES;
	/** The messages among them that are compressed. */
	#compressed: Set<Uint8Array> | undefined;
	#bytes = 0;
	#closed = false;

	/** @param maxBytes the limit of one call */
	constructor(budget: RetryBudget, maxBytes: number) {
		this.#budget = budget;
		this.#maxBytes = maxBytes;
	}

	/** The messages, without their prefixes. */
	get messages(): readonly Uint8Array[] {
		return this.#messages;
	}

	/** The message of a complete request with exactly one message. */
	get only(): Uint8Array | undefined {
		return this.#closed && this.#messages.length === 1
			? this.#messages[0]
			: undefined;
	}

	isCompressed(message: Uint8Array): boolean {
		return this.#compressed?.has(message) ?? false;
	}

	/** Whether the request ends after these messages. */
	get closed(): boolean {
		return this.#closed;
	}

	close(): void {
		this.#closed = true;
	}

	/**
	 * Buffers a message. Returns false if it exceeds the limit of the call or of its channel. It is buffered all the same, until
	 * `free`.
	 */
	add(message: Uint8Array, compressed: boolean): boolean {
		if (this.#messages === NO_MESSAGES) this.#messages = [message];
		else this.#messages.push(message);
		if (compressed) {
			this.#compressed ??= new Set();
			this.#compressed.add(message);
		}
		const bytes = PREFIX_BYTES + message.length;
		if (this.#bytes + bytes > this.#maxBytes || !this.#budget.take(bytes)) {
			return false;
		}
		this.#bytes += bytes;
		return true;
	}

	/** Drops all messages. */
	free(): void {
		this.#budget.giveBack(this.#bytes);
		this.#bytes = 0;
		this.#messages = NO_MESSAGES;
		this.#compressed = undefined;
	}
}
