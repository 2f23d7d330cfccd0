import { AsyncQueue, type QueueOwner } from "../../wire/async-queue.ts";

interface Written<T> {
	readonly message: T;
	/** Resolves the write, if it waits. */
	readonly taken: (() => void) | undefined;
}

const TAKEN: Promise<void> = Promise.resolve();

/**
 * An iteration that is written into. A write resolves once the reader has taken the message, or at once while fewer than
 * `room` messages wait.
 */
export class MessagePipe<T>
	implements AsyncIterable<T>, QueueOwner<Written<T>, T>
{
	readonly #room: number;
	readonly #queue = new AsyncQueue<Written<T>, T>(this);
	#left = false;

	constructor(room = 0) {
		this.#room = room;
	}

	/** Whether the reader has left before the end, so that nobody reads what is written now. */
	get left(): boolean {
		return this.#left;
	}

	write(message: T): Promise<void> {
		const queue = this.#queue;
		if (!queue.isOpen) return TAKEN;
		if (queue.isAwaited || queue.size < this.#room) {
			queue.push({ message, taken: undefined });
			return TAKEN;
		}
		return new Promise((taken) => {
			queue.push({ message, taken });
		});
	}

	/** Ends the iteration, after what has been written. */
	close(): void {
		this.#queue.end();
	}

	/** Ends the iteration with an error, and drops what has not been taken. Does nothing if all has been read. */
	fail(error: unknown): void {
		if (!this.#queue.isOpen && this.#queue.size === 0) return;
		this.#drop();
		this.#queue.abort(error);
	}

	[Symbol.asyncIterator](): AsyncIterator<T, undefined> {
		return {
			next: () => this.#queue.next(),
			return: async () => {
				this.#leave();
				return { done: true, value: undefined };
			},
			// Connect's transports end an iteration like this when their call is aborted.
			throw: async (error) => {
				this.#leave();
				throw error;
			},
		};
	}

	open({ message, taken }: Written<T>): T {
		taken?.();
		return message;
	}

	#leave(): void {
		this.#left = true;
		this.#drop();
		this.#queue.end();
	}

	/** Drops the messages that wait, and resolves their writes. */
	#drop(): void {
		for (const { taken } of this.#queue.clear()) taken?.();
	}
}
