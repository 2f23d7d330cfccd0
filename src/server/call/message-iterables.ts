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
 * Begins to iterate over what a streaming handler has returned.
 *
 * @throws TypeError if that is not iterable
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
 * Makes messages of what a streaming handler has returned. This is no generator: `return` on a generator that has not
 * started would not reach the handler.
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
				// The handler may take its time to clean up. What it throws then only follows from this error.
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

/** Makes a stream of one message. */
export async function* oneMessage(message: Message): AsyncGenerator<Message> {
	yield message;
}

/**
 * Reads an iteration that must have exactly one message.
 *
 * @param what names the message in errors: "request message"
 * @throws ConnectError UNIMPLEMENTED for none and for several
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
