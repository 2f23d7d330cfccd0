import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { AsyncQueue, type QueueOwner } from "../../wire/async-queue.ts";

/** Where a handler made by `push` sends its responses to. */
export interface ResponseStream<O> {
	/**
	 * Sends one message. Resolves when flow control has room for the next one; rejects once the call is over, with
	 * CANCELED.
	 */
	send(message: O): Promise<void>;
}

/**
 * A handler in Go's style, which sends its responses, as one that returns them.
 *
 * ```ts
 * searchOrders: push(async (query, stream) => {
 * 	for (const order of orders) await stream.send(order);
 * }),
 * ```
 *
 * The stream ends when the handler's promise resolves; when it rejects, the call fails with that. What it rejects with
 * once the client has left is told to the server's `onError`.
 */
export function push<R, O>(
	handler: (
		request: R,
		stream: ResponseStream<O>,
		context: HandlerContext,
	) => Promise<void>,
): (request: R, context: HandlerContext) => AsyncIterable<O> {
	return (request, context) => {
		const responses = new PushedResponses<O>();
		void (async () => handler(request, responses, context))().then(
			() => responses.end(),
			(error: unknown) => responses.fail(error),
		);
		return responses;
	};
}

interface Sent<O> extends PromiseWithResolvers<void> {
	readonly message: O;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Hands what is sent to the reader, who asks for the next message when there is room for it. */
class PushedResponses<O>
	implements
		ResponseStream<O>,
		QueueOwner<Sent<O>, O>,
		AsyncIterableIterator<O, undefined>
{
	readonly #queue = new AsyncQueue<Sent<O>, O>(this);
	/** The last message that was read: its sender hears of it when the next one is asked for. */
	#taken: Sent<O> | undefined;
	/** Settles as the handler does. */
	readonly #ended = Promise.withResolvers<void>();

	[Symbol.asyncIterator](): this {
		return this;
	}

	send(message: O): Promise<void> {
		const sent = { message, ...Promise.withResolvers<void>() };
		if (this.#queue.isOpen) this.#queue.push(sent);
		else refuse(sent);
		return sent.promise;
	}

	/** The handler has ended well: nothing follows what has been sent. */
	end(): void {
		this.#queue.end();
		this.#ended.resolve();
	}

	/** The handler has failed. */
	fail(error: unknown): void {
		this.#queue.fail(error);
		this.#ended.promise.catch(() => {});
		this.#ended.reject(error);
	}

	next(): Promise<IteratorResult<O, undefined>> {
		this.#taken?.resolve();
		this.#taken = undefined;
		return this.#queue.next();
	}

	/** The reader wants no more. Like a generator's, it takes as long as the handler, and rejects if that fails. */
	async return(): Promise<IteratorResult<O, undefined>> {
		if (this.#taken !== undefined) refuse(this.#taken);
		for (const sent of this.#queue.clear()) refuse(sent);
		this.#queue.end();
		await this.#ended.promise;
		return DONE;
	}

	/** The queue's reader takes a message. */
	open(sent: Sent<O>): O {
		this.#taken = sent;
		return sent.message;
	}
}

/** Rejects a `send` that can lead nowhere; its promise may be nobody's. */
function refuse(sent: Sent<unknown>): void {
	sent.promise.catch(() => {});
	sent.reject(
		new ConnectError(
			"the call is over: nothing more can be sent",
			Code.Canceled,
		),
	);
}
