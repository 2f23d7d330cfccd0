import type {
	DescMessage,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import { ConnectError, type StreamResponse } from "@connectrpc/connect";
import { guarded } from "../../policy/guarded.ts";
import { showable } from "../../policy/showable.ts";
import { nobodyReads, sendIsClosed, wrongNumber } from "../call/call-errors.ts";
import { type CallSite, showCallSite } from "../call/call-site.ts";
import type { Messages, MethodOf, StreamHandle } from "../call/caller.ts";
import { messageOf } from "../call/message-codec.ts";
import { RequestPump, type RequestSink } from "../call/request-pump.ts";
import { ResponseIterator } from "../call/response-iterator.ts";
import { tellFailure } from "../call/response-metadata.ts";
import type { CallOptions } from "../options/call-options.ts";
import { cancelled } from "./call-bounds.ts";
import { MessagePipe } from "./message-pipe.ts";
import { PulledResponses, type PullingCall } from "./pulled-responses.ts";

/** How many requests may wait to be read. A transport in memory reads them only when somebody asks for a response. */
const ROOM = 16;

/** The handle of a streaming call over a Connect Transport. */
export class TransportStream<I extends DescMessage, O extends DescMessage>
	implements StreamHandle<I, O>, PullingCall, RequestSink<MessageInitShape<I>>
{
	readonly #method: MethodOf<I, O>;
	readonly #abort = new AbortController();
	#forgetSignal: () => void = () => {};
	readonly #requests = new MessagePipe<MessageInitShape<I>>(ROOM);
	readonly #response: Promise<StreamResponse<I, O>>;
	readonly #responses: PulledResponses<MessageShape<O>>;
	readonly #trailer = Promise.withResolvers<Headers>();
	readonly #onHeader: CallOptions["onHeader"];
	readonly #onTrailer: CallOptions["onTrailer"];
	readonly #site: CallSite | undefined;
	#sendClosed = false;
	#endedWell = false;
	#error: ConnectError | undefined;
	#pump: RequestPump<I> | undefined;
	#only: Promise<MessageShape<O>> | undefined;

	/**
	 * Starts the call.
	 *
	 * @param open starts the call on the transport
	 * @param site where the call is made, for the stack of its error
	 */
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
		this.#responses = new PulledResponses(this.#response, this);
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
		if (this.#sendClosed) throw sendIsClosed();
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
		this.#pump = new RequestPump(messages, this);
		this.#pump.start();
	}

	recv(): Promise<MessageShape<O> | undefined> {
		return this.#responses.read();
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
		return new ResponseIterator(this.#responses, this);
	}

	// What the responses tell their call.

	responsesEnded(trailer: Headers): void {
		this.#endedWell = true;
		this.#stopSending(nobodyReads());
		this.#trailer.resolve(trailer);
	}

	responsesFailed(error: unknown): void {
		this.#failed(error);
	}

	trailerCame(trailer: Headers): void {
		this.#onTrailer?.(trailer);
	}

	// What the pump of requests asks of its sink.

	get takesRequests(): boolean {
		return (
			!this.#endedWell && this.#error === undefined && !this.#requests.left
		);
	}

	sendNext(message: MessageInitShape<I>): Promise<void> {
		return this.#requests.write(messageOf(this.#method.input, message));
	}

	requestsEnded(): void {
		this.#sendClosed = true;
		this.#requests.close();
	}

	requestsFailed(error: unknown): void {
		this.#cancel(error, "the request messages could not all be sent");
	}

	#mayStillSend(): void {
		if (this.#error !== undefined) throw this.#error;
		if (this.#endedWell) throw nobodyReads();
	}

	#cancel(reason: unknown, what: string): void {
		if (this.#endedWell || this.#error !== undefined) return;
		this.#failed(cancelled(reason, what));
	}

	/** Gives the call its error, unless it has one already, and aborts what is under way. Returns the error of the call. */
	#failed(reason: unknown): ConnectError {
		if (this.#error === undefined) {
			this.#error = ConnectError.from(showable(reason));
			showCallSite(this.#error, this.#site);
			this.#stopSending(this.#error);
			this.#trailer.reject(this.#error);
			this.#abort.abort(this.#error);
			this.#responses.abort(this.#error);
		}
		return this.#error;
	}

	#stopSending(error: ConnectError): void {
		this.#forgetSignal();
		this.#requests.fail(error);
		this.#pump?.stop();
	}

	#follow(signal: AbortSignal | undefined): () => void {
		if (signal === undefined) return () => {};
		const abort = (): void => this.cancel(signal.reason);
		if (signal.aborted) abort();
		else signal.addEventListener("abort", abort, { once: true });
		return () => signal.removeEventListener("abort", abort);
	}
}
