import type {
	DescMessage,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import type { Messages } from "../call/caller.ts";
import { messageOf } from "../call/message-codec.ts";
import { iteratorOf } from "../call/request-pump.ts";

/**
 * The same requests as complete messages, for interceptors. If one of them is no message, the iteration throws
 * ConnectError, and closes the iterator of the requests.
 */
export function checkedMessages<I extends DescMessage>(
	schema: I,
	requests: Messages<I>,
): AsyncIterable<MessageShape<I>> {
	return {
		[Symbol.asyncIterator]: () => new CheckedMessages(schema, requests),
	};
}

class CheckedMessages<I extends DescMessage>
	implements AsyncIterator<MessageShape<I>, undefined>
{
	readonly #schema: I;
	readonly #requests:
		| Iterator<MessageInitShape<I>>
		| AsyncIterator<MessageInitShape<I>>;

	#isOver = false;

	constructor(schema: I, requests: Messages<I>) {
		this.#schema = schema;
		this.#requests = iteratorOf(requests);
	}

	async next(): Promise<IteratorResult<MessageShape<I>, undefined>> {
		if (this.#isOver) return { done: true, value: undefined };
		const step = await this.#requests.next();
		if (step.done) return { done: true, value: undefined };
		try {
			return { done: false, value: messageOf(this.#schema, step.value) };
		} catch (error) {
			await this.return();
			throw error;
		}
	}

	async return(): Promise<IteratorResult<MessageShape<I>, undefined>> {
		this.#isOver = true;
		await this.#requests.return?.();
		return { done: true, value: undefined };
	}

	/** Connect's transports end an iteration like this when their call is aborted. */
	async throw(error: unknown): Promise<never> {
		await this.return();
		throw error;
	}
}
