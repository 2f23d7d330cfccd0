import {
	create,
	type DescMessage,
	isMessage,
	type Message,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

type MessageIterator = AsyncIterator<unknown> | Iterator<unknown>;

/** A message from what handlers return: itself, or its fields. */
export function toMessage(desc: DescMessage, init: unknown): Message {
	return isMessage(init, desc)
		? init
		: create(desc, init as Record<string, unknown>);
}

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

/** An iterable of messages from what a streaming handler has returned. */
export async function* toMessages(
	desc: DescMessage,
	inits: unknown,
): AsyncGenerator<Message> {
	const iterator = iteratorOf(inits) as AsyncIterator<unknown>;
	for await (const init of { [Symbol.asyncIterator]: () => iterator }) {
		yield toMessage(desc, init);
	}
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
