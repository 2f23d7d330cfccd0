import type {
	DescMessage,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { guarded } from "../../policy/guarded.ts";
import { AsyncQueue, type QueueOwner } from "../../wire/async-queue.ts";
import type { CallEnd } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { toHeaders } from "../../wire/metadata.ts";
import { inContext } from "../channel/outside-calls.ts";
import { Call } from "./call.ts";
import { nobodyReads, sendIsClosed, wrongNumber } from "./call-errors.ts";
import type { CallObserver, CallTerms } from "./call-request.ts";
import { type CallSite, showCallSite } from "./call-site.ts";
import type { Messages, MethodOf, StreamHandle } from "./caller.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import type { PreparedMethod } from "./prepared-method.ts";
import { RequestPump, type RequestSink } from "./request-pump.ts";
import { ResponseIterator } from "./response-iterator.ts";
import { type MetadataListener, noteReceived } from "./response-metadata.ts";

const SENT: Promise<void> = Promise.resolve();

/** The handle of a streaming call of any kind over a channel. */
export class StreamCall<I extends DescMessage, O extends DescMessage>
	implements
		StreamHandle<I, O>,
		CallObserver,
		QueueOwner<Uint8Array, MessageShape<O>>,
		RequestSink<MessageInitShape<I>>
{
	readonly #method: MethodOf<I, O>;
	readonly #call: Call;
	readonly #onHeader: MetadataListener["onHeader"];
	readonly #onTrailer: MetadataListener["onTrailer"];
	readonly #site: CallSite | undefined;
	/** Responses that have arrived, still encoded, on their way to the reader. */
	readonly #responses = new AsyncQueue<Uint8Array, MessageShape<O>>(this);
	#only: Promise<MessageShape<O>> | undefined;
	#pump: RequestPump<I> | undefined;
	#sendClosed = false;
	/** Resolves when there is room to send again. All sends that wait share it. */
	#room: PromiseWithResolvers<void> | undefined;
	#headers: RawHeaders | undefined;
	/** The promises of `header` and `trailer`, if somebody has asked for them. */
	#header: PromiseWithResolvers<Headers> | undefined;
	#trailer: PromiseWithResolvers<Headers> | undefined;
	#end: CallEnd | undefined;
	#error: ConnectError | undefined;

	/** @param site where the call is made, for the stack of its error */
	constructor(
		prepared: PreparedMethod<I, O>,
		terms: CallTerms | undefined,
		metadata: MetadataListener,
		site?: CallSite,
	) {
		this.#method = prepared.method;
		this.#site = site;
		this.#onHeader =
			metadata.onHeader && inContext(guarded(metadata.onHeader, "onHeader"));
		this.#onTrailer =
			metadata.onTrailer && inContext(guarded(metadata.onTrailer, "onTrailer"));
		this.#call = new Call(prepared, terms, this);
	}

	/** Starts a call that sends message by message; `sendOnly` starts a call with a single request. */
	start(): void {
		this.#call.start();
	}

	get header(): Promise<Headers> {
		if (this.#header === undefined) {
			this.#header = quietly();
			this.#settleHeader(this.#header);
		}
		return this.#header.promise;
	}

	get trailer(): Promise<Headers> {
		if (this.#trailer === undefined) {
			this.#trailer = quietly();
			this.#settleTrailer(this.#trailer);
		}
		return this.#trailer.promise;
	}

	send(message: MessageInitShape<I>): Promise<void> {
		try {
			return this.sendNext(message) ?? SENT;
		} catch (error) {
			return Promise.reject(error);
		}
	}

	closeSend(): Promise<void> {
		this.#closeSend();
		return SENT;
	}

	sendOnly(message: MessageInitShape<I> | undefined): void {
		const only = encodeMessage(this.#method.input, message);
		this.#sendClosed = true;
		this.#call.start(only);
	}

	sendAll(messages: Messages<I>): void {
		this.#pump = new RequestPump(messages, this);
		this.#pump.start();
	}

	recv(): Promise<MessageShape<O> | undefined> {
		return this.#responses.read();
	}

	closeAndRecv(): Promise<MessageShape<O>> {
		this.#closeSend();
		this.#only ??= this.recvOnly();
		return this.#only;
	}

	async recvOnly(): Promise<MessageShape<O>> {
		const only = await this.recv();
		if (only === undefined) throw wrongNumber(this.#method, 0);
		if ((await this.recv()) === undefined) return only;
		const error = wrongNumber(this.#method, 2);
		this.#call.fail(error);
		throw error;
	}

	cancel(reason?: unknown): void {
		this.#call.cancel(reason);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.cancel();
	}

	[Symbol.asyncIterator](): AsyncIterator<MessageShape<O>, undefined> {
		return new ResponseIterator(this.#responses, this);
	}

	// What the call tells its observer.

	headers(headers: RawHeaders): void {
		this.#headers = headers;
		if (this.#header !== undefined) this.#settleHeader(this.#header);
		this.#onHeader?.(toHeaders(headers));
	}

	message(message: Uint8Array): void {
		this.#responses.push(message);
	}

	writable(): void {
		this.#room?.resolve();
		this.#room = undefined;
	}

	end(end: CallEnd, error: ConnectError | undefined): void {
		this.#end = end;
		this.#error = error;
		showCallSite(error, this.#site);
		noteReceived(error, end, this.#headers);
		if (error === undefined) this.#responses.end();
		// Messages that arrived before the server or the connection ended the call are still delivered. After a call was
		// given up on this side, nothing is.
		else if (end.isGivenUp) this.#responses.abort(error);
		else this.#responses.fail(error);
		this.#room?.reject(this.#whyNotSend());
		this.#room = undefined;
		if (this.#header !== undefined) this.#settleHeader(this.#header);
		if (this.#trailer !== undefined) this.#settleTrailer(this.#trailer);
		// In a Trailers-Only response there are no headers.
		if (this.#headers === undefined && !end.local) {
			this.#onHeader?.(new Headers());
		}
		this.#onTrailer?.(toHeaders(end.trailers));
		this.#pump?.stop();
	}

	// What the queue of responses asks of its owner.

	/** Decodes a response for its reader. Ends the call, and throws ConnectError, if the bytes are no message. */
	open(message: Uint8Array): MessageShape<O> {
		try {
			return decodeMessage(this.#method.output, message);
		} catch (error) {
			showCallSite(error, this.#site);
			this.#call.fail(error as ConnectError);
			// The call itself may have ended well before.
			this.#error ??= error as ConnectError;
			this.#responses.abort(error);
			throw error;
		}
	}

	bytesOf(message: Uint8Array): number {
		return message.length;
	}

	hold(): void {
		this.#call.hold();
	}

	release(): void {
		this.#call.release();
	}

	// What the pump of requests asks of its sink.

	get takesRequests(): boolean {
		return this.#end === undefined;
	}

	/** Sends one message. Returns a promise if there is no room for the next one yet. Throws ConnectError. */
	sendNext(message: MessageInitShape<I>): Promise<void> | undefined {
		const refusal = this.#whyNotSend();
		if (refusal !== undefined) throw refusal;
		if (this.#call.send(encodeMessage(this.#method.input, message))) {
			return undefined;
		}
		this.#room ??= Promise.withResolvers();
		return this.#room.promise;
	}

	requestsEnded(): void {
		this.#closeSend();
	}

	requestsFailed(error: unknown): void {
		this.#call.cancel(error, "the request messages could not all be sent");
	}

	#closeSend(): void {
		if (this.#sendClosed) return;
		this.#sendClosed = true;
		this.#call.closeSend();
		// No send has to wait for room any more.
		this.writable();
	}

	#whyNotSend(): ConnectError | undefined {
		if (this.#error !== undefined) return this.#error;
		if (this.#end !== undefined) return nobodyReads();
		return this.#sendClosed ? sendIsClosed() : undefined;
	}

	#settleHeader({ resolve, reject }: PromiseWithResolvers<Headers>): void {
		if (this.#headers !== undefined) resolve(toHeaders(this.#headers));
		else if (this.#error !== undefined) reject(this.#error);
		else if (this.#end !== undefined) resolve(new Headers());
	}

	#settleTrailer({ resolve, reject }: PromiseWithResolvers<Headers>): void {
		if (this.#error !== undefined) reject(this.#error);
		else if (this.#end !== undefined) resolve(toHeaders(this.#end.trailers));
	}
}

/** Makes a promise whose rejection need not be handled. */
function quietly<T>(): PromiseWithResolvers<T> {
	const made = Promise.withResolvers<T>();
	made.promise.catch(() => {});
	return made;
}
