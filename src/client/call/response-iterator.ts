/** What a `for await` over a stream's responses needs of the stream. */
interface Receiving<T> {
	/** The next message, as `toResult` has it. */
	next(): Promise<IteratorResult<T, undefined>>;
	cancel(reason?: unknown): void;
}

/** Receives message by message; leaving early cancels the call. */
export function messageIteration<T>(
	stream: Receiving<T>,
): AsyncIterator<T, undefined> {
	return {
		next: () => stream.next(),
		return: async () => {
			stream.cancel(new Error("the caller stopped reading"));
			return { done: true, value: undefined };
		},
		// Connect's clients end an iteration so when its call is aborted.
		throw: async (error) => {
			stream.cancel(error);
			throw error;
		},
	};
}

/** A step of an iteration; undefined is its end. */
export function toResult<T>(
	value: T | undefined,
): IteratorResult<T, undefined> {
	return value === undefined
		? { done: true, value: undefined }
		: { done: false, value };
}
