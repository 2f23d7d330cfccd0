import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
	type Code,
	type ConnectError,
	type ContextValues,
	createContextValues,
} from "@connectrpc/connect";
import { type CallScope, callScope } from "../../policy/call-scope.ts";
import type { Due } from "../../policy/deadlines.ts";
import type { ServerCallListener, StreamReset } from "../../wire/connection.ts";
import { toHeaders } from "../../wire/metadata.ts";
import type { Arrival } from "./arrival.ts";
import {
	clientLeft,
	deadlinePassed,
	errorToSend,
	isConsequence,
	isMasked,
	malformedMessage,
	malformedRequest,
	readableThrown,
	wrongNumber,
} from "./call-errors.ts";
import type { CallHost, OpenCall } from "./call-host.ts";
import { Cancellation } from "./cancellation.ts";
import { type HandledCall, isThenable } from "./handler.ts";
import { contextPeer, type Peer } from "./peer.ts";
import { RequestStream, type RequestStreamOwner } from "./request-stream.ts";
import {
	Response,
	type ResponseOwner,
	type ResponseTerms,
} from "./response.ts";
import { ResponsePump, type ResponseSink } from "./response-pump.ts";
import { inScope } from "./scopes.ts";
import type { ServedMethod } from "./served-method.ts";

/**
 * One call that a server handles, from its headers to its status. It hears the wire, runs the handler, and is the handler's
 * context itself; whatever a unary handler may never ask for is created lazily.
 */
export class IncomingCall
	implements
		OpenCall,
		HandledCall,
		CallScope,
		Due,
		ServerCallListener,
		RequestStreamOwner,
		ResponseOwner,
		ResponseSink
{
	readonly dueAt: number;
	duePlace = -1;
	place = -1;
	unreadBytes = 0;
	lastArrival = 0;
	readonly #host: CallHost;
	readonly #served: ServedMethod;
	readonly #arrival: Arrival;
	/** Milliseconds that the client has given the call; undefined for a call without a deadline. */
	readonly #timeoutMs: number | undefined;
	readonly #response: Response;
	/** The request, for a method that takes one. */
	#request: Uint8Array | undefined;
	/** The requests, for a method that takes a stream of them. */
	readonly #requests: RequestStream | undefined;
	/** Sends the responses, for a method that returns a stream of them, once its handler has returned. */
	#pump: ResponsePump | undefined;
	/** How it ended: with its handler, or before it, for a reason. Undefined while it is open. */
	#outcome: "completed" | ConnectError | undefined;
	#cancellation: Cancellation | undefined;
	#requestHeader: Headers | undefined;
	#responseHeader: Headers | undefined;
	#responseTrailer: Headers | undefined;
	#values: ContextValues | undefined;

	constructor(
		host: CallHost,
		served: ServedMethod,
		arrival: Arrival,
		timeoutMs: number | undefined,
		terms: ResponseTerms,
	) {
		this.dueAt =
			timeoutMs === undefined ? Infinity : host.clock.now() + timeoutMs;
		this.#host = host;
		this.#served = served;
		this.#arrival = arrival;
		this.#timeoutMs = timeoutMs;
		this.#response = new Response(arrival, terms, this);
		arrival.call.listen(host.requestTerms(arrival.encoding), this);
		if (timeoutMs !== undefined) host.deadlines.add(this);
		host.started(this);
		if (served.streamsRequests) {
			this.#requests = new RequestStream(arrival.call, this);
			this.#start(this.#requests.requests);
		}
	}

	get arrival(): Arrival {
		return this.#arrival;
	}

	/** Answers with `error` at once, whatever the handler does. */
	cancel(error: ConnectError): void {
		if (this.#outcome !== undefined) return;
		this.#response.abandon(error, this.#responseTrailer);
		this.#stop(error);
	}

	// What the handler sees.

	get method(): DescMethod {
		return this.#served.method;
	}

	get service(): DescService {
		return this.#served.method.parent;
	}

	get requestMethod(): string {
		return this.#arrival.method;
	}

	get protocolName(): string {
		return "grpc";
	}

	get url(): string {
		const { scheme, authority, path } = this.#arrival;
		return `${scheme}://${authority}${path}`;
	}

	/** A function of its own, as it may be called without the context. */
	get timeoutMs(): () => number | undefined {
		return () => this.#remainingMs;
	}

	get signal(): AbortSignal {
		return this.#openCancellation().signal;
	}

	get requestHeader(): Headers {
		this.#requestHeader ??= toHeaders(this.#arrival.headers);
		return this.#requestHeader;
	}

	get values(): ContextValues {
		this.#values ??= createContextValues();
		return this.#values;
	}

	get responseHeader(): Headers {
		this.#responseHeader ??= new Headers();
		return this.#responseHeader;
	}

	get responseTrailer(): Headers {
		this.#responseTrailer ??= new Headers();
		return this.#responseTrailer;
	}

	setResponseMetadata(header: Headers, trailer: Headers): void {
		this.#responseHeader = header;
		this.#responseTrailer = trailer;
	}

	get [contextPeer](): Peer {
		return this.#arrival.peer;
	}

	get [callScope](): CallScope {
		return this;
	}

	get deadline(): number | undefined {
		return this.#timeoutMs === undefined ? undefined : this.dueAt;
	}

	onCancel(listener: (reason: unknown) => void): () => void {
		return this.#openCancellation().onCancel(listener);
	}

	// What the wire tells.

	message(bytes: Uint8Array): void {
		if (this.#requests !== undefined) {
			this.#requests.push(bytes);
		} else if (this.#request === undefined) {
			this.#request = bytes;
		} else {
			this.cancel(wrongNumber("more than one request", this.method));
		}
		this.#countUnread();
	}

	arrived(): void {
		this.lastArrival = this.#host.unread.nextArrival();
		this.#countUnread();
	}

	messagesEnd(): void {
		if (this.#requests !== undefined) {
			this.#requests.requests.end();
			return;
		}
		const bytes = this.#request;
		if (bytes === undefined) {
			this.cancel(wrongNumber("no request", this.method));
			return;
		}
		let request: unknown;
		try {
			request = this.decode(bytes);
		} catch {
			return; // and the call has been answered
		}
		this.#request = undefined;
		this.#countUnread();
		this.#start(request);
	}

	malformed(code: Code, message: string): void {
		this.cancel(malformedMessage(code, message));
	}

	writable(): void {
		if (this.#outcome === undefined && !this.#response.isDeflating)
			this.#pump?.proceed();
	}

	left(reset: StreamReset): void {
		this.#response.close();
		if (this.#outcome !== undefined) return;
		// A client whose deadline passes leaves, and may do so a moment before our own timer fires.
		const isLate = (this.#remainingMs ?? Infinity) <= 0;
		this.#stop(
			isLate ? deadlinePassed(this.#timeoutMs ?? 0) : clientLeft(reset),
		);
	}

	closed(): void {
		this.#response.close();
		this.#host.deadlines.delete(this);
		this.#countUnread();
	}

	/** The deadline has passed. */
	due(): void {
		if (this.#outcome === undefined) {
			this.cancel(deadlinePassed(this.#timeoutMs ?? 0));
			return;
		}
		this.#response.cutOff();
		this.#countUnread();
	}

	/** Counts what has come and has not been read. Called whenever something came, was read, or was dropped. */
	#countUnread(): void {
		const before = this.unreadBytes;
		let bytes = this.#arrival.call.waitingBytes;
		if (this.#outcome === undefined) {
			bytes += this.#requests?.requests.bytes ?? this.#request?.length ?? 0;
		}
		if (bytes === before) return;
		this.unreadBytes = bytes;
		this.#host.unread.change(bytes - before);
	}

	// The handler, and its response.

	decode(bytes: Uint8Array): unknown {
		if (this.#requests !== undefined) this.#countUnread();
		try {
			return this.#served.decode(bytes);
		} catch (cause) {
			const error = malformedRequest(this.method, cause);
			this.cancel(error);
			throw error;
		}
	}

	#start(input: unknown): void {
		inScope(this, IncomingCall.#handle, this, input);
	}

	static #handle(call: IncomingCall, input: unknown): void {
		try {
			const output = call.#served.handle(input, call);
			if (call.#served.streamsResponses) {
				call.#pump = new ResponsePump(call);
				call.#pump.start(output);
			} else if (isThenable(output)) {
				output.then(
					(response) => call.#answer(response),
					(thrown) => call.responsesFailed(thrown),
				);
			} else {
				call.#answer(output);
			}
		} catch (thrown) {
			call.responsesFailed(thrown);
		}
	}

	#answer(response: unknown): void {
		if (this.#outcome !== undefined) return;
		try {
			const bytes = this.#served.encode(response, this.#host.writeMaxBytes);
			this.#finish(undefined, bytes);
		} catch (thrown) {
			this.responsesFailed(thrown);
		}
	}

	get takesResponses(): boolean {
		return this.#outcome === undefined;
	}

	sendResponse(response: unknown): boolean {
		try {
			const bytes = this.#served.encode(response, this.#host.writeMaxBytes);
			this.#response.respond(this.#responseHeader);
			return this.#response.write(bytes);
		} catch (thrown) {
			this.responsesFailed(thrown);
			return true;
		}
	}

	responsesEnded(): void {
		this.#finish(undefined);
	}

	responsesFailed(given: unknown): void {
		const thrown = readableThrown(given);
		if (this.#outcome !== undefined) {
			if (!isConsequence(thrown)) this.report(thrown);
			return;
		}
		if (isMasked(thrown)) this.report(thrown);
		this.#finish(errorToSend(thrown, this.method));
	}

	report(error: unknown): void {
		this.#host.report(error, this.method);
	}

	// The end.

	/** The handler has ended. `last`: its only response. */
	#finish(error: ConnectError | undefined, last?: Uint8Array): void {
		const code = this.#response.finish(
			error,
			this.#responseHeader,
			this.#responseTrailer,
			last,
		);
		this.#end("completed", code);
		this.#cancellation?.complete();
		void this.#requests?.requests.return();
	}

	/** The call is over before its handler is. */
	#stop(reason: ConnectError): void {
		this.#end(reason, reason.code);
		inScope(this, IncomingCall.#stopHandler, this, reason);
	}

	static #stopHandler(call: IncomingCall, reason: ConnectError): void {
		call.#cancellation?.cancel(reason);
		call.#requests?.requests.abort(reason);
		call.#pump?.stop();
	}

	#end(outcome: "completed" | ConnectError, code: Code | undefined): void {
		this.#outcome = outcome;
		// The response to a client that reads nothing is dropped at the deadline.
		if (!this.#response.isUnsent) this.#host.deadlines.delete(this);
		this.#countUnread();
		this.#host.ended(this, code);
	}

	#openCancellation(): Cancellation {
		this.#cancellation ??= new Cancellation(this.#outcome);
		return this.#cancellation;
	}

	get #remainingMs(): number | undefined {
		return this.#timeoutMs === undefined
			? undefined
			: this.dueAt - this.#host.clock.now();
	}
}
