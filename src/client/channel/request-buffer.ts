import { PREFIX_BYTES } from "../../wire/message-frame.ts";

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
const NO_MESSAGES: Uint8Array[] = [];

/** The messages of a request, as they were sent: what a further attempt starts with. */
export class RequestBuffer {
	readonly #budget: RetryBudget;
	readonly #maxBytes: number;
	#messages: Uint8Array[] = NO_MESSAGES;
	/** Those of them that are compressed. */
	#compressed: Set<Uint8Array> | undefined;
	#bytes = 0;
	#closed = false;

	/** `maxBytes`: of one call. */
	constructor(budget: RetryBudget, maxBytes: number) {
		this.#budget = budget;
		this.#maxBytes = maxBytes;
	}

	/** Without their prefixes. */
	get messages(): readonly Uint8Array[] {
		return this.#messages;
	}

	/** The only message of a request that has just one, and is whole. */
	get only(): Uint8Array | undefined {
		return this.#closed && this.#messages.length === 1
			? this.#messages[0]
			: undefined;
	}

	isCompressed(message: Uint8Array): boolean {
		return this.#compressed?.has(message) ?? false;
	}

	/** The request ends after these messages. */
	get closed(): boolean {
		return this.#closed;
	}

	close(): void {
		this.#closed = true;
	}

	/**
	 * Keeps a message; false when it goes beyond what the call or its channel may keep. It is kept all the same, until
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

	/** Forgets all messages. */
	free(): void {
		this.#budget.giveBack(this.#bytes);
		this.#bytes = 0;
		this.#messages = NO_MESSAGES;
		this.#compressed = undefined;
	}
}
