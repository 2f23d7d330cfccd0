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
import type { ServerStream, StreamReset } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { messageOfInit } from "../../wire/message-init.ts";
import { ownBytes } from "../../wire/own-bytes.ts";
import {
	ServerCall,
	type ServerCallListener,
	type ServerCallTerms,
} from "../../wire/server-call.ts";
import type { Peer } from "../peer.ts";
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
	wrongNumber,
} from "./call-errors.ts";
import { CallLifetime } from "./call-lifetime.ts";
import { streamsOf } from "./handler.ts";
import type { CallParts } from "./handler-context.ts";
import { iteratorOf } from "./message-iterables.ts";
import type { RequestHead } from "./request-head.ts";
import { inScope } from "./scopes.ts";
import type { ServedMethod } from "./served-method.ts";

type Init = MessageInitShape<DescMessage>;

/** What a call needs of its server. */
export interface CallHost {
	readonly clock: Clock;
	readonly writeMaxBytes: number;
	started(call: IncomingCall): void;
	/** `code`: undefined when the call ended well. */
	ended(call: IncomingCall, code: Code | undefined): void;
	/** Hears of what the client must not. */
	report(error: unknown, method: DescMethod): void;
}

/** How a call has come to its server. */
export interface CallArrival {
	readonly stream: ServerStream;
	readonly headers: RawHeaders;
	readonly head: RequestHead;
	readonly terms: ServerCallTerms;
	/** Until the deadline; undefined without one. */
	readonly timeoutMs: number | undefined;
	readonly peer: Peer;
}

/** One call that a server handles, from its headers to its status. */
export class IncomingCall
	implements ServerCallListener, QueueOwner<Uint8Array, unknown>, CallParts
{
	readonly lifetime: CallLifetime;
	header: Headers | undefined;
	trailer: Headers | undefined;
	readonly #host: CallHost;
	readonly #served: ServedMethod;
	readonly #arrival: CallArrival;
	readonly #wire: ServerCall;
	readonly #deadlineTimer: Timer;
	/** Of a method that takes one. */
	#request: Uint8Array | undefined;
	/** Of a method that takes a stream of them. */
	readonly #requests: AsyncQueue<Uint8Array, unknown> | undefined;
	/** Of a method that answers with a stream of them, once its handler has returned. */
	#responses: ReturnType<typeof iteratorOf> | undefined;
	#proceed: (() => void) | undefined;
	#over = false;

	constructor(host: CallHost, served: ServedMethod, arrival: CallArrival) {
		const { timeoutMs } = arrival;
		this.lifetime = new CallLifetime(host.clock, timeoutMs);
		this.#host = host;
		this.#served = served;
		this.#arrival = arrival;
		this.#wire = new ServerCall(arrival.stream, arrival.terms, this);
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

	get waitingBytes(): number {
		return this.#requests?.bytes ?? this.#request?.length ?? 0;
	}

	get unreadBytes(): number {
		return this.#wire.unreadBytes;
	}

	get lastArrival(): number {
		return this.#wire.lastArrival;
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
		this.#wire.abandon(error, this.trailer);
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
		this.#wire.countUnread();
		this.#start(request);
	}

	malformed(code: Code, message: string): void {
		const whose =
			code === Code.ResourceExhausted ? " (readMaxBytes of this server)" : "";
		this.cancel(new ConnectError(`${message}${whose}`, code));
	}

	left(reset: StreamReset): void {
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
		this.#proceed?.();
	}

	/** Ends the call when the bytes are malformed. */
	open(bytes: Uint8Array): unknown {
		if (this.#requests !== undefined) this.#wire.countUnread();
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
			if (this.#write(response) !== undefined) this.#finish(undefined);
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
				if (this.#write(value) === false) await this.#room();
			}
			this.#leaveResponses();
		} catch (thrown) {
			this.#fail(thrown);
		}
	}

	/** Whether there is room for more; undefined when the response could not be sent. */
	#write(response: unknown): boolean | undefined {
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
		this.#wire.respond(this.header);
		return this.#wire.write(bytes);
	}

	/** Resolves when there is room to write again: never, when the call is over before. */
	#room(): Promise<void> {
		return new Promise((resolve) => {
			this.#proceed = resolve;
		});
	}

	/** The handler has failed. */
	#fail(given: unknown): void {
		const thrown = readable(given);
		if (this.#over) {
			if (!isConsequence(thrown)) this.#host.report(thrown, this.method);
			return;
		}
		if (isMasked(thrown)) this.#host.report(thrown, this.method);
		this.#finish(errorToSend(thrown, this.method));
	}

	/** The handler has ended. */
	#finish(error: ConnectError | undefined): void {
		let failure = error;
		try {
			if (hasAny(this.header)) this.#wire.respond(this.header);
		} catch (thrown) {
			this.#host.report(thrown, this.method);
			failure ??= thrown as ConnectError;
		}
		let code = failure?.code;
		try {
			this.#wire.finish(failure, this.trailer);
		} catch (thrown) {
			// Such as details that are no valid messages.
			this.#host.report(thrown, this.method);
			this.#wire.finish(malformedStatus(this.method), undefined);
			code = Code.Internal;
		}
		this.#end(code);
		this.lifetime.complete();
		void this.#requests?.return();
	}

	#deadlinePasses(timeoutMs: number): void {
		if (this.#over) this.#wire.cutOff();
		else this.cancel(deadlinePassed(timeoutMs));
	}

	/** All of the response has left, or never will. */
	closed(): void {
		this.#host.clock.cancel(this.#deadlineTimer);
	}

	#end(code: Code | undefined): void {
		this.#over = true;
		// A client that reads nothing holds a response no longer than its deadline.
		if (!this.#wire.isUnsent) this.#host.clock.cancel(this.#deadlineTimer);
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

/** What is thrown may throw itself when it is looked at, such as a proxy: then that is the failure. */
function readable(thrown: unknown): unknown {
	try {
		if (thrown instanceof ConnectError) return thrown;
		if (thrown instanceof Error) String(thrown.message + thrown.stack);
		return thrown;
	} catch (cause) {
		return new Error("what was thrown cannot be read", { cause });
	}
}

function hasAny(headers: Headers | undefined): boolean {
	return headers !== undefined && !headers.keys().next().done;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
	return typeof (value as PromiseLike<unknown> | null)?.then === "function";
}
