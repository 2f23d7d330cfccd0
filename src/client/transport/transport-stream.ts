import type {
	DescMessage,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse } from "@connectrpc/connect";
import { guarded } from "../../policy/guarded.ts";
import { showable } from "../../policy/showable.ts";
import { type CallSite, showCallSite } from "../call/call-site.ts";
import type { Messages, MethodOf, StreamHandle } from "../call/caller.ts";
import { messageOf } from "../call/message-codec.ts";
import { messageIteration, toResult } from "../call/message-iteration.ts";
import { requestIterator } from "../call/request-iterator.ts";
import { tellFailure } from "../call/response-metadata.ts";
import { wrongNumber } from "../call/wrong-number.ts";
import type { CallOptions } from "../options/call-options.ts";
import { cancelled } from "./call-bounds.ts";
import { MessagePipe } from "./message-pipe.ts";

/** So many requests may wait: a transport in memory comes for them only when a response is asked for. */
const ROOM = 16;

/** A streaming call over a Connect Transport, as a handle. */
export class TransportStream<I extends DescMessage, O extends DescMessage>
	implements StreamHandle<I, O>
{
	readonly #method: MethodOf<I, O>;
	readonly #abort = new AbortController();
	#forgetSignal: () => void = () => {};
	readonly #requests = new MessagePipe<MessageInitShape<I>>(ROOM);
	readonly #response: Promise<StreamResponse<I, O>>;
	readonly #responses: AsyncIterator<MessageShape<O>>;
	/** Those who wait for a message, to be told when the call is cancelled. */
	readonly #receivers = new Set<(error: ConnectError) => void>();
	readonly #trailer = Promise.withResolvers<Headers>();
	readonly #onHeader: CallOptions["onHeader"];
	readonly #onTrailer: CallOptions["onTrailer"];
	readonly #site: CallSite | undefined;
	#sendClosed = false;
	#endedWell = false;
	#error: ConnectError | undefined;
	#onEnd: (() => void) | undefined;
	#only: Promise<MessageShape<O>> | undefined;

	/** Starts the call, by `open`. `site`: where it is made. */
	constructor(
		method: MethodOf<I, O>,
		options: CallOptions,
		open: (
			signal: AbortSignal,
			messages: AsyncIterable<MessageInitShape<I>>,
		) => Promise<StreamResponse<I, O>>,
		site?: CallSite,
	) {
		this.#method = method;
		this.#site = site;
		this.#onHeader = options.onHeader && guarded(options.onHeader, "onHeader");
		this.#onTrailer =
			options.onTrailer && guarded(options.onTrailer, "onTrailer");
		this.#trailer.promise.catch(() => {});
		this.#response = open(this.#abort.signal, this.#requests);
		this.#response.then(
			({ header }) => this.#onHeader?.(header),
			(error: unknown) => {
				this.#failed(error);
				tellFailure(options, error);
			},
		);
		this.#responses = this.#receive();
		this.#forgetSignal = this.#follow(options.signal);
	}

	get header(): Promise<Headers> {
		const header = this.#response.then(
			(response) => response.header,
			(error: unknown) => Promise.reject(this.#failed(error)),
		);
		header.catch(() => {});
		return header;
	}

	get trailer(): Promise<Headers> {
		return this.#trailer.promise;
	}

	async send(init: MessageInitShape<I>): Promise<void> {
		this.#mayStillSend();
		if (this.#sendClosed) {
			throw new ConnectError(
				"the request has been closed: send before closeSend or closeAndRecv",
				Code.FailedPrecondition,
			);
		}
		await this.#requests.write(messageOf(this.#method.input, init));
		this.#mayStillSend();
	}

	async closeSend(): Promise<void> {
		if (this.#error !== undefined) throw this.#error;
		this.#sendClosed = true;
		this.#requests.close();
	}

	sendOnly(message: MessageInitShape<I> | undefined): void {
		this.#sendClosed = true;
		try {
			void this.#requests.write(messageOf(this.#method.input, message));
			this.#requests.close();
		} catch (error) {
			this.#failed(error);
		}
	}

	sendAll(messages: Messages<I>): void {
		void this.#pump(messages);
	}

	recv(): Promise<MessageShape<O> | undefined> {
		if (this.#error !== undefined) return Promise.reject(this.#error);
		return new Promise((resolve, reject) => {
			this.#receivers.add(reject);
			const settle = (then: () => void): void => {
				this.#receivers.delete(reject);
				then();
			};
			this.#responses.next().then(
				({ done, value }) =>
					settle(() => {
						if (!done) resolve(value);
						else if (this.#error !== undefined) reject(this.#error);
						else resolve(undefined);
					}),
				(error) => settle(() => reject(error)),
			);
		});
	}

	closeAndRecv(): Promise<MessageShape<O>> {
		this.#only ??= this.closeSend().then(() => this.recvOnly());
		return this.#only;
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
		this.#cancel(reason, "the call was cancelled");
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.cancel();
	}

	[Symbol.asyncIterator](): AsyncIterator<MessageShape<O>, undefined> {
		return messageIteration({
			next: () => this.recv().then(toResult),
			cancel: (reason) => this.cancel(reason),
		});
	}

	async *#receive(): AsyncGenerator<MessageShape<O>> {
		let response: StreamResponse<I, O> | undefined;
		try {
			response = await this.#response;
			yield* response.message;
			this.#ended(response.trailer);
		} catch (error) {
			throw this.#failed(error);
		} finally {
			if (response !== undefined) this.#onTrailer?.(response.trailer);
		}
	}

	#mayStillSend(): void {
		if (this.#error !== undefined) throw this.#error;
		if (this.#endedWell) throw nobodyReads();
	}

	#cancel(reason: unknown, what: string): void {
		if (this.#endedWell || this.#error !== undefined) return;
		const error = this.#failed(cancelled(reason, what));
		for (const reject of this.#receivers) reject(error);
		// What interceptors have put around the messages may clean up; what it throws then is its own affair.
		this.#responses.return?.().catch(() => {});
	}

	#ended(trailer: Headers): void {
		this.#endedWell = true;
		this.#letGo(nobodyReads());
		this.#trailer.resolve(trailer);
	}

	/** The call has failed, and this is its error, unless it had one before. What of it is under way is aborted. */
	#failed(reason: unknown): ConnectError {
		if (this.#error === undefined) {
			this.#error = ConnectError.from(showable(reason));
			showCallSite(this.#error, this.#site);
			this.#letGo(this.#error);
			this.#trailer.reject(this.#error);
			this.#abort.abort(this.#error);
		}
		return this.#error;
	}

	#letGo(error: ConnectError): void {
		this.#forgetSignal();
		this.#requests.fail(error);
		this.#onEnd?.();
	}

	async #pump(messages: Messages<I>): Promise<void> {
		let asking = true;
		try {
			const iterator = requestIterator(messages);
			// Whoever produces the messages may clean up; what it throws then is its own affair.
			this.#onEnd = () => {
				this.#onEnd = undefined;
				void (async () => iterator.return?.())().catch(() => {});
			};
			if (this.#over) this.#onEnd();
			while (!this.#over) {
				asking = true;
				const next = await iterator.next();
				if (next.done) {
					this.#onEnd = undefined;
					await this.closeSend();
					return;
				}
				asking = false;
				const message = messageOf(this.#method.input, next.value);
				if (!this.#over) await this.#requests.write(message);
			}
			this.#onEnd?.();
		} catch (error) {
			// An iterator that throws has ended.
			if (asking) this.#onEnd = undefined;
			this.#cancel(error, "the request messages could not all be sent");
		}
	}

	/** Nobody reads requests any more. */
	get #over(): boolean {
		return this.#endedWell || this.#error !== undefined || this.#requests.left;
	}

	#follow(signal: AbortSignal | undefined): () => void {
		if (signal === undefined) return () => {};
		const abort = (): void => this.cancel(signal.reason);
		if (signal.aborted) abort();
		else signal.addEventListener("abort", abort, { once: true });
		return () => signal.removeEventListener("abort", abort);
	}
}

function nobodyReads(): ConnectError {
	return new ConnectError(
		"the server has ended the call with status OK: nobody reads what is sent now",
		Code.FailedPrecondition,
	);
}
