interface Waiter<T> {
	resolve(result: IteratorResult<T, undefined>): void;
	reject(error: unknown): void;
}

/** An iteration that is written into: `write` resolves once the reader has come for the message, or at once while fewer than `room` wait. */
export class MessagePipe<T> implements AsyncIterable<T> {
	readonly #room: number;
	readonly #written: { message: T; taken: () => void }[] = [];
	readonly #readers: Waiter<T>[] = [];
	#left = false;
	#ending: { error: unknown } | "well" | undefined;

	constructor(room = 0) {
		this.#room = room;
	}

	/** The reader has gone before the end: what is written now, nobody reads. */
	get left(): boolean {
		return this.#left;
	}

	write(message: T): Promise<void> {
		const reader = this.#readers.shift();
		if (reader !== undefined) {
			reader.resolve({ done: false, value: message });
			return Promise.resolve();
		}
		if (this.#ending !== undefined) return Promise.resolve();
		if (this.#written.length < this.#room) {
			this.#written.push({ message, taken: () => {} });
			return Promise.resolve();
		}
		return new Promise((taken) => {
			this.#written.push({ message, taken });
		});
	}

	/** Ends the iteration, after what has been written. */
	close(): void {
		this.#ending ??= "well";
		for (const { resolve } of this.#readers.splice(0)) {
			resolve({ done: true, value: undefined });
		}
	}

	/** Ends the iteration with an error, and forgets what nobody has come for. */
	fail(error: unknown): void {
		if (this.#ending !== undefined && this.#written.length === 0) return;
		this.#ending = { error };
		for (const { reject } of this.#readers.splice(0)) reject(error);
		this.#release();
	}

	[Symbol.asyncIterator](): AsyncIterator<T, undefined> {
		const leave = (): void => {
			this.#left = true;
			this.#ending ??= "well";
			this.#release();
		};
		return {
			next: () => this.#next(),
			return: async () => {
				leave();
				return { done: true, value: undefined };
			},
			// Connect's transports end an iteration so when its call is aborted.
			throw: async (error) => {
				leave();
				throw error;
			},
		};
	}

	#next(): Promise<IteratorResult<T, undefined>> {
		const next = this.#written.shift();
		if (next !== undefined) {
			next.taken();
			return Promise.resolve({ done: false, value: next.message });
		}
		if (this.#ending === "well") {
			return Promise.resolve({ done: true, value: undefined });
		}
		if (this.#ending !== undefined) return Promise.reject(this.#ending.error);
		return new Promise((resolve, reject) => {
			this.#readers.push({ resolve, reject });
		});
	}

	#release(): void {
		for (const { taken } of this.#written.splice(0)) taken();
	}
}
