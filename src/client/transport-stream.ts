import type {
	DescMessage,
	DescMethod,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse } from "@connectrpc/connect";
import type { CallOptions } from "./call-options.ts";
import type { Messages, StreamHandle } from "./caller.ts";
import { MessagePipe } from "./message-pipe.ts";
import { wrongNumber } from "./wrong-number.ts";

/** A streaming call over a Connect Transport, as a handle. */
export class TransportStream<I extends DescMessage, O extends DescMessage>
	implements StreamHandle<I, O>
{
	readonly #method: DescMethod;
	readonly #abort = new AbortController();
	readonly #forgetSignal: () => void;
	readonly #requests = new MessagePipe<MessageInitShape<I>>();
	readonly #response: Promise<StreamResponse<I, O>>;
	readonly #responses: AsyncIterator<MessageShape<O>>;
	readonly #trailer = Promise.withResolvers<Headers>();
	#sendClosed = false;
	#error: ConnectError | undefined;

	/** Starts the call, by `open`. */
	constructor(
		method: DescMethod,
		options: CallOptions,
		open: (
			signal: AbortSignal,
			messages: AsyncIterable<MessageInitShape<I>>,
		) => Promise<StreamResponse<I, O>>,
	) {
		this.#method = method;
		this.#forgetSignal = this.#follow(options.signal);
		this.#response = open(this.#abort.signal, this.#requests);
		this.#responses = this.#receive(options);
		this.#response.catch((error: unknown) => this.#failed(error));
		this.#trailer.promise.catch(() => {});
	}

	get header(): Promise<Headers> {
		const header = this.#response.then((response) => response.header);
		header.catch(() => {});
		return header;
	}

	get trailer(): Promise<Headers> {
		return this.#trailer.promise;
	}

	async send(message: MessageInitShape<I>): Promise<void> {
		if (this.#error !== undefined) throw this.#error;
		if (this.#sendClosed) {
			throw new ConnectError(
				"the request has been closed: send before closeSend or closeAndRecv",
				Code.FailedPrecondition,
			);
		}
		await this.#requests.write(message);
		if (this.#error !== undefined) throw this.#error;
	}

	async closeSend(): Promise<void> {
		if (this.#error !== undefined) throw this.#error;
		this.#sendClosed = true;
		this.#requests.close();
	}

	sendOnly(message: MessageInitShape<I> | undefined): void {
		this.#sendClosed = true;
		void this.#requests.write(message ?? ({} as MessageInitShape<I>));
		this.#requests.close();
	}

	sendAll(messages: Messages<I>): void {
		void this.#pump(messages);
	}

	async recv(): Promise<MessageShape<O> | undefined> {
		const next = await this.#responses.next();
		return next.done ? undefined : next.value;
	}

	async closeAndRecv(): Promise<MessageShape<O>> {
		await this.closeSend();
		return this.recvOnly();
	}

	async recvOnly(): Promise<MessageShape<O>> {
		const only = await this.recv();
		const more = only === undefined ? undefined : await this.recv();
		if (only !== undefined && more === undefined) return only;
		const error = wrongNumber(this.#method, only === undefined ? 0 : 2);
		this.cancel(error);
		throw error;
	}

	cancel(reason?: unknown): void {
		this.#abort.abort(
			reason ?? new ConnectError("the call was cancelled", Code.Canceled),
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.cancel();
	}

	[Symbol.asyncIterator](): AsyncIterator<MessageShape<O>, undefined> {
		return {
			next: async () => {
				const value = await this.recv();
				return value === undefined
					? { done: true, value }
					: { done: false, value };
			},
			return: async () => {
				this.cancel();
				return { done: true, value: undefined };
			},
			throw: async (error) => {
				this.cancel(error);
				throw error;
			},
		};
	}

	async *#receive(options: CallOptions): AsyncGenerator<MessageShape<O>> {
		try {
			const response = await this.#response;
			options.onHeader?.(response.header);
			yield* response.message;
			this.#forgetSignal();
			this.#trailer.resolve(response.trailer);
			options.onTrailer?.(response.trailer);
		} catch (error) {
			throw this.#failed(error);
		}
	}

	#failed(error: unknown): ConnectError {
		this.#error ??= ConnectError.from(error);
		this.#forgetSignal();
		this.#requests.fail(this.#error);
		this.#trailer.reject(this.#error);
		return this.#error;
	}

	async #pump(messages: Messages<I>): Promise<void> {
		try {
			for await (const message of messages) await this.send(message);
			await this.closeSend();
		} catch (error) {
			this.cancel(error);
		}
	}

	#follow(signal: AbortSignal | undefined): () => void {
		if (signal === undefined) return () => {};
		const abort = (): void => this.#abort.abort(signal.reason);
		if (signal.aborted) abort();
		else signal.addEventListener("abort", abort, { once: true });
		return () => signal.removeEventListener("abort", abort);
	}
}
