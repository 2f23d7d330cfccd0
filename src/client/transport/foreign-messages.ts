/** Messages that can be iterated several times. Each is drawn once, when it is first asked for, and kept. */
export function replayable<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
	const drawn: Promise<IteratorResult<T>>[] = [];
	let iterator: AsyncIterator<T> | undefined;
	return {
		async *[Symbol.asyncIterator]() {
			iterator ??= messages[Symbol.asyncIterator]();
			for (let n = 0; ; n++) {
				drawn[n] ??= iterator.next();
				const result = await drawn[n];
				if (result === undefined || result.done) return;
				yield result.value;
			}
		},
	};
}

/** Resolves with the same messages once the first of them, or their end, has come. Rejects if that rejects. */
export async function begun<T>(
	messages: AsyncIterable<T>,
): Promise<AsyncIterable<T>> {
	const rest = messages[Symbol.asyncIterator]();
	let first: IteratorResult<T> | undefined = await rest.next();
	const iterator: AsyncIterator<T> = {
		async next() {
			const result = first ?? (await rest.next());
			first = undefined;
			return result;
		},
		return: async () =>
			(await rest.return?.()) ?? { done: true, value: undefined },
	};
	return { [Symbol.asyncIterator]: () => iterator };
}

interface Watcher {
	/** The error that the iteration throws instead of what it has thrown. */
	errorOf(thrown: unknown): unknown;
	/** Called when the iteration ends: with its error, if it has thrown. */
	ended(error?: unknown): void;
}

/** The same messages; the watcher is told how their iteration ends. */
export function watched<T>(
	messages: AsyncIterable<T>,
	watcher: Watcher,
): AsyncIterable<T> {
	return {
		[Symbol.asyncIterator]: () =>
			new WatchedIterator(messages[Symbol.asyncIterator](), watcher),
	};
}

class WatchedIterator<T> implements AsyncIterator<T, undefined> {
	readonly #messages: AsyncIterator<T>;
	readonly #watcher: Watcher;

	constructor(messages: AsyncIterator<T>, watcher: Watcher) {
		this.#messages = messages;
		this.#watcher = watcher;
	}

	async next(): Promise<IteratorResult<T, undefined>> {
		let step: IteratorResult<T>;
		try {
			step = await this.#messages.next();
		} catch (thrown) {
			throw this.#failed(thrown);
		}
		if (!step.done) return step;
		this.#watcher.ended();
		return { done: true, value: undefined };
	}

	async return(): Promise<IteratorResult<T, undefined>> {
		try {
			await this.#messages.return?.();
		} catch (thrown) {
			throw this.#failed(thrown);
		}
		this.#watcher.ended();
		return { done: true, value: undefined };
	}

	async throw(error: unknown): Promise<never> {
		try {
			if (this.#messages.throw !== undefined) await this.#messages.throw(error);
			else await this.#messages.return?.();
		} catch (thrown) {
			throw this.#failed(thrown);
		}
		throw this.#failed(error);
	}

	#failed(thrown: unknown): unknown {
		const error = this.#watcher.errorOf(thrown);
		this.#watcher.ended(error);
		return error;
	}
}
