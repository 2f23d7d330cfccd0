import {
	type DescMessage,
	type DescMethod,
	fromBinary,
	type MessageInitShape,
	toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock, Timer } from "../../policy/clock.ts";
import { AsyncQueue, type QueueOwner } from "../../wire/async-queue.ts";
import type {
	ServerCall,
	ServerCallListener,
	StreamReset,
} from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { messageOfInit } from "../../wire/message-init.ts";
import { ownBytes } from "../../wire/own-bytes.ts";
import type { CallArrival } from "./call-arrival.ts";
import {
	clientLeft,
	deadlinePassed,
	errorToSend,
	isConsequence,
	isMasked,
	largeResponse,
	malformedRequest,
	malformedResponse,
	malformedStatus,
	readableThrown,
	wrongNumber,
} from "./call-errors.ts";
import { CallLifetime } from "./call-lifetime.ts";
import { isThenable, streamsOf } from "./handler.ts";
import type { CallParts } from "./handler-context.ts";
import { iteratorOf } from "./message-iterables.ts";
import type { Peer } from "./peer.ts";
import type { RequestHead } from "./request-head.ts";
import { Response, type ResponseOwner } from "./response.ts";
import { hasAny } from "./response-headers.ts";
import { inScope } from "./scopes.ts";
import type { ServedMethod } from "./served-method.ts";
import type { UnreadBytes } from "./unread-bytes.ts";

type Init = MessageInitShape<DescMessage>;

/** What a call needs of its server. */
export interface CallHost {
	readonly clock: Clock;
	readonly writeMaxBytes: number;
	readonly unread: UnreadBytes;
	started(call: IncomingCall): void;
	/** `code`: undefined when the call ended well. */
	ended(call: IncomingCall, code: Code | undefined): void;
	/** Hears of what the client must not. */
	report(error: unknown, method: DescMethod): void;
}

/** One call that a server handles, from its headers to its status. */
export class IncomingCall
	implements
		ServerCallListener,
		ResponseOwner,
		QueueOwner<Uint8Array, unknown>,
		CallParts
{
	readonly lifetime: CallLifetime;
	header: Headers | undefined;
	trailer: Headers | undefined;
	readonly #host: CallHost;
	readonly #served: ServedMethod;
	readonly #arrival: CallArrival;
	readonly #wire: ServerCall;
	readonly #response: Response;
	readonly #deadlineTimer: Timer;
	/** Of a method that takes one. */
	#request: Uint8Array | undefined;
	/** Of a method that takes a stream of them. */
	readonly #requests: AsyncQueue<Uint8Array, unknown> | undefined;
	/** Of a method that answers with a stream of them, once its handler has returned. */
	#responses: ReturnType<typeof iteratorOf> | undefined;
	#proceed: (() => void) | undefined;
	#over = false;
	#unreadBytes = 0;
	#lastArrival = 0;

	constructor(host: CallHost, served: ServedMethod, arrival: CallArrival) {
		const { timeoutMs } = arrival;
		this.lifetime = new CallLifetime(host.clock, timeoutMs);
		this.#host = host;
		this.#served = served;
		this.#arrival = arrival;
		this.#wire = arrival.call;
		this.#response = new Response(arrival.call, arrival, this);
		arrival.call.listen(arrival, this);
		this.#deadlineTimer =
			timeoutMs === undefined
				? undefined
				: host.clock.after(timeoutMs, () => this.#deadlinePasses(timeoutMs));
		host.started(this);
		if (streamsOf(served.method).request) {
			this.#requests = new AsyncQueue<Uint8Array, unknown>(this);
			this.#start(this.#requests);
		}
	}

	/** Bytes of its requests that have come and that its handler has not read. */
	get unreadBytes(): number {
		return this.#unreadBytes;
	}

	/** When something came for it last, as `UnreadBytes` numbers it. */
	get lastArrival(): number {
		return this.#lastArrival;
	}

	get isInMessage(): boolean {
		return this.#wire.isInMessage;
	}

	get method(): DescMethod {
		return this.#served.method;
	}

	get head(): RequestHead {
		return this.#arrival.head;
	}

	get headers(): RawHeaders {
		return this.#arrival.headers;
	}

	get peer(): Peer {
		return this.#arrival.peer;
	}

	/** Answers with `error` at once, whatever the handler does. */
	cancel(error: ConnectError): void {
		if (this.#over) return;
		this.#response.abandon(error, this.trailer);
		this.#end(error.code);
		this.#stop(error);
	}

	message(bytes: Uint8Array): void {
		const requests = this.#requests;
		if (requests !== undefined) {
			requests.push(requests.isAwaited ? bytes : ownBytes(bytes));
		} else if (this.#request === undefined) {
			this.#request = bytes;
		} else {
			this.cancel(wrongNumber("more than one request", this.method));
		}
		this.arrived();
	}

	arrived(): void {
		this.#lastArrival = this.#host.unread.nextArrival();
		this.#countUnread();
	}

	messagesEnd(): void {
		if (this.#requests !== undefined) {
			this.#requests.end();
			return;
		}
		const bytes = this.#request;
		if (bytes === undefined) {
			this.cancel(wrongNumber("no request", this.method));
			return;
		}
		let request: unknown;
		try {
			request = this.open(bytes);
		} catch {
			return; // and the call has been answered
		}
		this.#request = undefined;
		this.#countUnread();
		this.#start(request);
	}

	malformed(code: Code, message: string): void {
		const whose =
			code === Code.ResourceExhausted ? " (readMaxBytes of this server)" : "";
		this.cancel(new ConnectError(`${message}${whose}`, code));
	}

	left(reset: StreamReset): void {
		this.#response.close();
		if (this.#over) return;
		const { timeoutMs = Infinity } = this.#arrival;
		const { remainingMs = Infinity } = this.lifetime;
		// A client whose deadline passes leaves, and may do so a moment before our own timer fires.
		const error =
			remainingMs > 0 ? clientLeft(reset) : deadlinePassed(timeoutMs);
		this.#end(error.code);
		this.#stop(error);
	}

	writable(): void {
		if (!this.#over && !this.#response.isDeflating) this.#proceed?.();
	}

	/** Ends the call when the bytes are malformed. */
	open(bytes: Uint8Array): unknown {
		if (this.#requests !== undefined) this.#countUnread();
		try {
			return fromBinary(this.method.input, bytes);
		} catch (cause) {
			const error = malformedRequest(this.method, cause);
			this.cancel(error);
			throw error;
		}
	}

	bytesOf({ length }: Uint8Array): number {
		return length;
	}

	hold(): void {
		this.#wire.hold();
	}

	release(): void {
		this.#wire.release();
	}

	#start(input: unknown): void {
		inScope(this.lifetime, IncomingCall.#handle, this, input);
	}

	static #handle(call: IncomingCall, input: unknown): void {
		try {
			const output = call.#served.handle(input, call);
			if (streamsOf(call.method).response) {
				void call.#answerAll(output);
			} else if (isThenable(output)) {
				output.then(
					(response) => call.#answer(response),
					(thrown) => call.#fail(thrown),
				);
			} else {
				call.#answer(output);
			}
		} catch (thrown) {
			call.#fail(thrown);
		}
	}

	#answer(response: unknown): void {
		if (this.#over) return;
		try {
			const bytes = this.#encode(response);
			if (bytes === undefined) return;
			this.#response.respond(this.header);
			this.#finish(undefined, bytes);
		} catch (thrown) {
			this.#fail(thrown);
		}
	}

	async #answerAll(output: unknown): Promise<void> {
		try {
			const responses = iteratorOf(isThenable(output) ? await output : output);
			this.#responses = responses;
			while (!this.#over) {
				const { done, value } = await responses.next();
				if (this.#over) break;
				if (done) {
					this.#finish(undefined);
					return;
				}
				const bytes = this.#encode(value);
				if (bytes === undefined) continue;
				this.#response.respond(this.header);
				if (this.#response.write(bytes)) continue;
				// For room; never, if the call is over before there is any.
				await new Promise<void>((resolve) => {
					this.#proceed = resolve;
				});
			}
			this.#leaveResponses();
		} catch (thrown) {
			this.#fail(thrown);
		}
	}

	/** Ends the call, and returns undefined, if the response cannot be sent. */
	#encode(response: unknown): Uint8Array | undefined {
		let bytes: Uint8Array;
		try {
			const { output } = this.method;
			bytes = toBinary(output, messageOfInit(output, response as Init));
		} catch (thrown) {
			const error = malformedResponse(this.method);
			const why = thrown instanceof Error ? thrown.message : String(thrown);
			this.#host.report(
				new TypeError(`${error.rawMessage}: ${why}`, { cause: thrown }),
				this.method,
			);
			this.#fail(error);
			return undefined;
		}
		const { writeMaxBytes } = this.#host;
		if (bytes.length > writeMaxBytes) {
			this.#fail(largeResponse(bytes.length, writeMaxBytes));
			return undefined;
		}
		return bytes;
	}

	/** The handler has failed. */
	#fail(given: unknown): void {
		const thrown = readableThrown(given);
		if (this.#over) {
			if (!isConsequence(thrown)) this.#host.report(thrown, this.method);
			return;
		}
		if (isMasked(thrown)) this.#host.report(thrown, this.method);
		this.#finish(errorToSend(thrown, this.method));
	}

	/** The handler has ended; `last` is its only response. */
	#finish(error: ConnectError | undefined, last?: Uint8Array): void {
		let failure = error;
		try {
			if (hasAny(this.header)) this.#response.respond(this.header);
		} catch (thrown) {
			this.#host.report(thrown, this.method);
			failure ??= thrown as ConnectError;
		}
		let code = failure?.code;
		try {
			this.#response.finish(failure, this.trailer, last);
		} catch (thrown) {
			// Such as details that are no valid messages.
			this.#host.report(thrown, this.method);
			this.#response.finish(malformedStatus(this.method), undefined, last);
			code = Code.Internal;
		}
		this.#end(code);
		this.lifetime.complete();
		void this.#requests?.return();
	}

	#deadlinePasses(timeoutMs: number): void {
		if (!this.#over) {
			this.cancel(deadlinePassed(timeoutMs));
			return;
		}
		this.#response.cutOff();
		this.#countUnread();
	}

	/** All of the response has left, or never will. */
	closed(): void {
		this.#response.close();
		this.#host.clock.cancel(this.#deadlineTimer);
		this.#countUnread();
	}

	/** Something came, was read, or was dropped. */
	#countUnread(): void {
		const own = this.#requests?.bytes ?? this.#request?.length ?? 0;
		const before = this.#unreadBytes;
		this.#unreadBytes = this.#wire.waitingBytes + (this.#over ? 0 : own);
		this.#host.unread.change(this.#unreadBytes - before);
	}

	#end(code: Code | undefined): void {
		this.#over = true;
		// A client that reads nothing holds a response no longer than its deadline.
		if (!this.#response.isUnsent) this.#host.clock.cancel(this.#deadlineTimer);
		this.#countUnread();
		this.#host.ended(this, code);
	}

	/** The call is over before its handler is. */
	#stop(error: ConnectError): void {
		inScope(this.lifetime, () => {
			this.lifetime.cancel(error);
			this.#requests?.abort(error);
			this.#leaveResponses();
		});
	}

	/** A handler that is not done with its responses gets to clean up. */
	#leaveResponses(): void {
		const responses = this.#responses;
		this.#responses = undefined;
		const report = (thrown: unknown): void => this.#fail(thrown);
		try {
			Promise.resolve(responses?.return?.()).catch(report);
		} catch (thrown) {
			report(thrown);
		}
	}
}
