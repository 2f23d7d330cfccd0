import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { AsyncQueue, type QueueOwner } from "../../wire/async-queue.ts";

/** The stream that a handler made by `push` sends its responses to. */
export interface ResponseStream<O> {
	/**
	 * Sends one message. Resolves when flow control has room for the next one. Rejects with CANCELED when the call is over:
	 * its client has left, its deadline has passed, or the handler has ended.
	 */
	send(message: O): Promise<void>;
}

/**
 * Makes a handler that sends its responses one by one, as in Go. Use it for responses that come from callbacks, or where
 * an `async function*` is awkward.
 *
 * ```ts
 * searchOrders: push(async (query, stream) => {
 * 	for (const order of orders) await stream.send(order);
 * }),
 * ```
 *
 * The call ends with OK when the handler's promise resolves, and fails with what the promise rejects with. If the client
 * has left by then, the server's `onError` hears of that error.
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

/** Hands what is sent to the reader. The reader asks for the next message when flow control has room for it. */
class PushedResponses<O>
	implements
		ResponseStream<O>,
		QueueOwner<Sent<O>, O>,
		AsyncIterableIterator<O, undefined>
{
	readonly #queue = new AsyncQueue<Sent<O>, O>(this);
	/** The last message that was read. Its `send` resolves when the reader asks for the next one. */
	#taken: Sent<O> | undefined;
	/** Settles when the handler does, and likewise. */
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

	/** The reader wants no more. As with a generator, this takes as long as the handler does, and rejects if that fails. */
	async return(): Promise<IteratorResult<O, undefined>> {
		if (this.#taken !== undefined) refuse(this.#taken);
		for (const sent of this.#queue.clear()) refuse(sent);
		this.#queue.end();
		await this.#ended.promise;
		return DONE;
	}

	/** Called by the queue when a message is read. */
	open(sent: Sent<O>): O {
		this.#taken = sent;
		return sent.message;
	}
}

/** Rejects a `send` of a call that is over. Nobody may be waiting for it. */
function refuse(sent: Sent<unknown>): void {
	sent.promise.catch(() => {});
	sent.reject(
		new ConnectError(
			"the call is over: nothing more can be sent",
			Code.Canceled,
		),
	);
}
