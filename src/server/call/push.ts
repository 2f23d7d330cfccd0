import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";

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

type Reader<O> = PromiseWithResolvers<IteratorResult<O, undefined>>;

type End =
	| { readonly how: "ended" }
	| { readonly how: "failed"; readonly error: unknown };

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Hands what is sent over to who iterates, who asks for the next message when there is room for it. */
class PushedResponses<O>
	implements ResponseStream<O>, AsyncIterableIterator<O, undefined>
{
	#waiting: Sent<O>[] = [];
	/** The last one handed over: its sender hears of it when the next one is asked for. */
	#taken: Sent<O> | undefined;
	#reader: Reader<O> | undefined;
	/** Of the handler. */
	#end: End | undefined;
	/** Since nobody wants any more of it: settles when the handler does. */
	#left: PromiseWithResolvers<void> | undefined;

	[Symbol.asyncIterator](): this {
		return this;
	}

	send(message: O): Promise<void> {
		const sent = { message, ...Promise.withResolvers<void>() };
		if (this.#end === undefined && this.#left === undefined) {
			this.#waiting.push(sent);
			this.#settle();
		} else {
			refuse(sent);
		}
		return sent.promise;
	}

	/** Nothing follows what has been sent. */
	end(): void {
		this.#end ??= { how: "ended" };
		this.#settle();
	}

	fail(error: unknown): void {
		this.#end ??= { how: "failed", error };
		this.#settle();
	}

	next(): Promise<IteratorResult<O, undefined>> {
		this.#taken?.resolve();
		this.#taken = undefined;
		this.#reader = Promise.withResolvers();
		const { promise } = this.#reader;
		this.#settle();
		return promise;
	}

	/** Nobody wants any more of it. As that of a generator, it takes as long as the handler, and rejects if that fails. */
	async return(): Promise<IteratorResult<O, undefined>> {
		this.#left ??= Promise.withResolvers();
		if (this.#taken !== undefined) refuse(this.#taken);
		for (const sent of this.#waiting.splice(0)) refuse(sent);
		this.#settle();
		await this.#left.promise;
		return DONE;
	}

	#settle(): void {
		if (this.#left !== undefined) {
			this.#settleLeft(this.#left);
			return;
		}
		const reader = this.#reader;
		if (reader === undefined) return;
		this.#taken = this.#waiting.shift();
		if (this.#taken !== undefined) {
			reader.resolve({ done: false, value: this.#taken.message });
		} else if (this.#end === undefined) {
			return;
		} else if (this.#end.how === "failed") {
			reader.reject(this.#end.error);
		} else {
			reader.resolve(DONE);
		}
		this.#reader = undefined;
	}

	#settleLeft(left: PromiseWithResolvers<void>): void {
		this.#reader?.resolve(DONE);
		this.#reader = undefined;
		if (this.#end === undefined) return;
		if (this.#end.how === "failed") left.reject(this.#end.error);
		else left.resolve();
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
