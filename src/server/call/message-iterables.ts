import type {
	DescMessage,
	Message,
	MessageInitShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { messageOfInit } from "../../wire/message-init.ts";

type Init = MessageInitShape<DescMessage>;
type MessageIterator = AsyncIterator<unknown> | Iterator<unknown>;

/**
 * The iterator of what a streaming handler has returned.
 *
 * @throws TypeError when that is nothing to iterate over
 */
export function iteratorOf(messages: unknown): MessageIterator {
	const iterable = messages as
		| Partial<AsyncIterable<unknown> & Iterable<unknown>>
		| null
		| undefined;
	const iterator =
		iterable?.[Symbol.asyncIterator]?.() ?? iterable?.[Symbol.iterator]?.();
	if (iterator === undefined) {
		throw new TypeError(
			"a handler that streams its responses has to return an AsyncIterable, as an async function* does",
		);
	}
	return iterator;
}

/**
 * The messages of what a streaming handler has returned. No generator: one that is left before it was asked for its
 * first message would not let the handler know.
 */
export function toMessages(
	desc: DescMessage,
	inits: unknown,
): AsyncIterableIterator<Message> {
	const iterator = iteratorOf(inits);
	return {
		[Symbol.asyncIterator]() {
			return this;
		},
		async next() {
			const { done, value } = await iterator.next();
			if (done) return { done, value: undefined };
			try {
				return { done: false, value: messageOfInit(desc, value as Init) };
			} catch (error) {
				// It may take its time to clean up; what it throws then is a consequence of this.
				Promise.resolve(iterator.return?.()).catch(() => {});
				throw error;
			}
		},
		async return() {
			await iterator.return?.();
			return { done: true, value: undefined };
		},
	};
}

export async function* oneMessage(message: Message): AsyncGenerator<Message> {
	yield message;
}

/**
 * The message of an iterable that has to have exactly one.
 *
 * @param what the message is, for the error
 */
export async function onlyMessage(
	messages: AsyncIterable<Message>,
	what: string,
): Promise<Message> {
	let only: Message | undefined;
	for await (const message of messages) {
		if (only !== undefined) {
			throw new ConnectError(`more than one ${what}`, Code.Unimplemented);
		}
		only = message;
	}
	if (only === undefined) {
		throw new ConnectError(`no ${what}`, Code.Unimplemented);
	}
	return only;
}
