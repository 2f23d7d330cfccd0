import type {
	DescMessage,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { guarded } from "../../policy/guarded.ts";
import type { CallEnd } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { toHeaders } from "../../wire/metadata.ts";
import type { ChannelCore } from "../channel/channel-core.ts";
import { inContext } from "../channel/outside-calls.ts";
import { Call } from "./call.ts";
import type { CallObserver, CallRequest } from "./call-request.ts";
import { type CallSite, showCallSite } from "./call-site.ts";
import type { Messages, MethodOf, StreamHandle } from "./caller.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { messageIteration, toResult } from "./message-iteration.ts";
import { requestIterator } from "./request-iterator.ts";
import { type MetadataListener, noteReceived } from "./response-metadata.ts";
import { wrongNumber } from "./wrong-number.ts";

/** While this many bytes of messages wait to be received, the server is stopped. */
const HOLD_BYTES = 64 * 1024;

/** What a message counts beside its bytes, so that endless empty ones stop the server too. */
const MESSAGE_OVERHEAD_BYTES = 64;

const SENT: Promise<void> = Promise.resolve();

interface Settler<T> {
	resolve(value: T): void;
	reject(error: ConnectError): void;
}

/** A streaming call of any kind over a channel: the handle itself. */
export class StreamCall<I extends DescMessage, O extends DescMessage>
	implements StreamHandle<I, O>, CallObserver
{
	readonly #method: MethodOf<I, O>;
	readonly #call: Call;
	readonly #onHeader: MetadataListener["onHeader"];
	readonly #onTrailer: MetadataListener["onTrailer"];
	readonly #site: CallSite | undefined;
	#sendClosed = false;
	readonly #senders: Settler<void>[] = [];
	#received: Uint8Array[] = [];
	#receivedBytes = 0;
	#held = false;
	#only: Promise<MessageShape<O>> | undefined;
	readonly #receivers: Settler<MessageShape<O> | undefined>[] = [];
	#headers: RawHeaders | undefined;
	readonly #headerWaiters: Settler<Headers>[] = [];
	readonly #trailerWaiters: Settler<Headers>[] = [];
	#end: CallEnd | undefined;
	#error: ConnectError | undefined;
	#onEnd: (() => void) | undefined;

	/** `site`: where the call is made. */
	constructor(
		core: ChannelCore,
		request: CallRequest & { readonly method: MethodOf<I, O> },
		metadata: MetadataListener,
		site?: CallSite,
	) {
		this.#method = request.method;
		this.#site = site;
		this.#onHeader =
			metadata.onHeader && inContext(guarded(metadata.onHeader, "onHeader"));
		this.#onTrailer =
			metadata.onTrailer && inContext(guarded(metadata.onTrailer, "onTrailer"));
		this.#call = new Call(core, request, this);
	}

	/** Begins a call that sends message by message; `sendOnly` begins the others. */
	start(): void {
		this.#call.start();
	}

	get header(): Promise<Headers> {
		return quiet(
			new Promise((resolve, reject) => {
				if (this.#headers !== undefined) resolve(toHeaders(this.#headers));
				else if (this.#error !== undefined) reject(this.#error);
				else if (this.#end !== undefined) resolve(new Headers());
				else this.#headerWaiters.push({ resolve, reject });
			}),
		);
	}

	get trailer(): Promise<Headers> {
		return quiet(
			new Promise((resolve, reject) => {
				if (this.#error !== undefined) reject(this.#error);
				else if (this.#end !== undefined) {
					resolve(toHeaders(this.#end.trailers));
				} else this.#trailerWaiters.push({ resolve, reject });
			}),
		);
	}

	send(message: MessageInitShape<I>): Promise<void> {
		const refusal = this.#whyNotSend();
		if (refusal !== undefined) return Promise.reject(refusal);
		try {
			const encoded = encodeMessage(this.#method.input, message);
			if (this.#call.send(encoded)) return SENT;
		} catch (error) {
			return Promise.reject(error);
		}
		return new Promise((resolve, reject) => {
			this.#senders.push({ resolve, reject });
		});
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
		void this.#pump(messages);
	}

	recv(): Promise<MessageShape<O> | undefined> {
		return this.#receive(itself);
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
		return messageIteration({
			next: () => this.#receive(toResult),
			cancel: (reason) => this.cancel(reason),
		});
	}

	// What the call tells.

	headers(headers: RawHeaders): void {
		this.#headers = headers;
		for (const { resolve } of this.#headerWaiters.splice(0)) {
			resolve(toHeaders(headers));
		}
		this.#onHeader?.(toHeaders(headers));
	}

	message(message: Uint8Array): void {
		const receiver = this.#receivers.shift();
		if (receiver !== undefined) {
			try {
				receiver.resolve(this.#decode(message));
			} catch (error) {
				receiver.reject(error as ConnectError);
			}
			return;
		}
		this.#received.push(message);
		this.#receivedBytes += message.length + MESSAGE_OVERHEAD_BYTES;
		if (!this.#held && this.#receivedBytes >= HOLD_BYTES) {
			this.#held = true;
			this.#call.hold();
		}
	}

	writable(): void {
		for (const { resolve } of this.#senders.splice(0)) resolve();
	}

	end(end: CallEnd, error: ConnectError | undefined): void {
		this.#end = end;
		this.#error = error;
		showCallSite(error, this.#site);
		// What the server sent before its end, or that of the connection, is for the caller; a call that was given up has nothing more to say.
		if (end.isGivenUp) this.#received = [];
		noteReceived(error, end, this.#headers);
		if (error === undefined) this.#endWell(end);
		else this.#endWithError(error);
		// Trailers-Only.
		if (this.#headers === undefined && !end.local)
			this.#onHeader?.(new Headers());
		this.#onTrailer?.(toHeaders(end.trailers));
		this.#onEnd?.();
	}

	#endWell(end: CallEnd): void {
		for (const { resolve } of this.#receivers.splice(0)) resolve(undefined);
		if (this.#senders.length > 0) {
			const tooLate = this.#whyNotSend() as ConnectError;
			for (const { reject } of this.#senders.splice(0)) reject(tooLate);
		}
		for (const { resolve } of this.#headerWaiters.splice(0)) {
			resolve(new Headers());
		}
		for (const { resolve } of this.#trailerWaiters.splice(0)) {
			resolve(toHeaders(end.trailers));
		}
	}

	#endWithError(error: ConnectError): void {
		for (const waiters of [
			this.#receivers,
			this.#senders,
			this.#headerWaiters,
			this.#trailerWaiters,
		]) {
			for (const { reject } of waiters.splice(0)) reject(error);
		}
	}

	#closeSend(): void {
		if (this.#sendClosed) return;
		this.#sendClosed = true;
		this.#call.closeSend();
		// There is nothing left to hold back.
		this.writable();
	}

	#whyNotSend(): ConnectError | undefined {
		if (this.#error !== undefined) return this.#error;
		if (this.#end !== undefined) {
			return new ConnectError(
				"the server has ended the call with status OK: nobody reads what is sent now",
				Code.FailedPrecondition,
			);
		}
		return this.#sendClosed
			? new ConnectError(
					"the request has been closed: send before closeSend or closeAndRecv",
					Code.FailedPrecondition,
				)
			: undefined;
	}

	#release(): void {
		this.#held = false;
		this.#call.release();
	}

	/** The next message in the form that the receiver wants; of undefined at the end. */
	#receive<T>(formOf: (message: MessageShape<O> | undefined) => T): Promise<T> {
		const next = this.#received.shift();
		if (next !== undefined) {
			this.#receivedBytes -= next.length + MESSAGE_OVERHEAD_BYTES;
			if (this.#held && this.#receivedBytes < HOLD_BYTES / 2) this.#release();
			try {
				return Promise.resolve(formOf(this.#decode(next)));
			} catch (error) {
				return Promise.reject(error);
			}
		}
		if (this.#error !== undefined) return Promise.reject(this.#error);
		if (this.#end !== undefined) return Promise.resolve(formOf(undefined));
		return new Promise((resolve, reject) => {
			this.#receivers.push({
				resolve: (message) => resolve(formOf(message)),
				reject,
			});
		});
	}

	/** Ends the call, and throws ConnectError, if there is no message in the bytes. */
	#decode(message: Uint8Array): MessageShape<O> {
		try {
			return decodeMessage(this.#method.output, message);
		} catch (error) {
			showCallSite(error, this.#site);
			this.#call.fail(error as ConnectError);
			// The call itself may have ended well.
			this.#error ??= error as ConnectError;
			this.#received = [];
			throw error;
		}
	}

	async #pump(messages: Messages<I>): Promise<void> {
		let asking = true;
		try {
			const iterator = requestIterator(messages);
			// Whoever produces the messages may clean up; what it throws then is its own affair.
			this.#onEnd = () => {
				void (async () => iterator.return?.())().catch(() => {});
			};
			if (this.#end !== undefined) this.#onEnd();
			while (this.#end === undefined) {
				asking = true;
				const next = await iterator.next();
				if (next.done) {
					this.#onEnd = undefined;
					this.#closeSend();
					return;
				}
				asking = false;
				if (this.#end === undefined) await this.send(next.value);
			}
		} catch (error) {
			// An iterator that throws has ended.
			if (asking) this.#onEnd = undefined;
			this.#call.cancel(error, "the request messages could not all be sent");
		}
	}
}

function itself<T>(message: T): T {
	return message;
}

/** Never an unhandled rejection. */
function quiet<T>(promise: Promise<T>): Promise<T> {
	promise.catch(() => {});
	return promise;
}
