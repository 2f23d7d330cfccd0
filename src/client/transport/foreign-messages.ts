/** Messages that can be iterated as often as one likes: each is drawn once, when it is first asked for, and kept. */
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

/** The same messages, as soon as the first of them, or their end, has come. Rejects as that does. */
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
