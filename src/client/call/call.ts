import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Subchannel } from "../../balancer/balancer.ts";
import { formatDuration } from "../../checks/duration.ts";
import type { Due } from "../../policy/deadlines.ts";
import type { CompiledMethodPolicy } from "../../policy/method-policy.ts";
import type {
	CallEnd,
	CallListener,
	ClientConnection,
} from "../../wire/connection.ts";
import { compress } from "../../wire/gzip.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { madeByClient } from "../../wire/inner-error.ts";
import { deflatesLater, isCompressed } from "../../wire/message-compression.ts";
import { MessageQueue } from "../../wire/message-queue.ts";
import { appendMetadata } from "../../wire/metadata.ts";
import { errorOfStatus } from "../../wire/status.ts";
import type { CallLimit } from "../channel/call-limit.ts";
import {
	type ChannelCall,
	type ChannelCore,
	closedBefore,
} from "../channel/channel-core.ts";
import { inContext } from "../channel/outside-calls.ts";
import { isBreakerRefusal } from "../endpoint/circuit-breaker.ts";
import type { CircuitBreakerOptions } from "../options/circuit-breaker-options.ts";
import type { CallInfo } from "../options/hooks.ts";
import { isIdempotent } from "../options/method-policies.ts";
import type { AttemptedCall } from "./attempted-call.ts";
import { CallAttempts } from "./retrying.ts";
import {
	type CallObserver,
	type CallRequest,
	deadlineOf,
} from "./call-request.ts";
import { responseInstead } from "./fallback.ts";

const NO_HEADERS: RawHeaders = [];
const NONE_TRIED: ReadonlySet<Subchannel> = new Set();

/** Received messages, where no policy says otherwise. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/**
 * One call, whatever its kind and however often it is attempted: its deadline, its cancellation, its end.
 * It is also what pickers see of it (`PickInfo`).
 */
export class Call implements AttemptedCall, CallListener, ChannelCall, Due {
	readonly method: DescMethod;
	readonly hashKey: string | undefined;
	readonly core: ChannelCore;
	readonly #request: CallRequest;
	readonly #observer: CallObserver;
	#policy: CompiledMethodPolicy;
	/** Infinity without a deadline. */
	dueAt = Infinity;
	duePlace = -1;
	#forgetScope: (() => void) | undefined;
	#onAbort: (() => void) | undefined;
	#header: Headers | undefined;
	#metadata: RawHeaders | undefined;
	#info: CallInfo | undefined;
	#attempts: CallAttempts | undefined;
	/** While a request is deflated, it and those behind it. */
	#queue: MessageQueue | undefined;
	/** Undefined where the channel has no limit. */
	#turn: ReturnType<CallLimit["admit"]> | undefined;
	/** Of the circuit breakers, for when one refuses the call. */
	#fallback: CircuitBreakerOptions["fallback"];
	#fallingBack = false;
	/** Of its requests so far. */
	#largestBytes = 0;
	#ended = false;

	constructor(core: ChannelCore, request: CallRequest, observer: CallObserver) {
		this.core = core;
		this.method = request.method;
		this.hashKey = request.hashKey;
		this.#request = request;
		this.#observer = observer;
		this.#policy = request.policy();
	}

	get policy(): CompiledMethodPolicy {
		return this.#policy;
	}

	/** Milliseconds on the channel's clock. */
	get deadline(): number | undefined {
		return this.dueAt === Infinity ? undefined : this.dueAt;
	}

	get tried(): ReadonlySet<Subchannel> {
		return this.#attempts?.tried ?? NONE_TRIED;
	}

	get header(): Headers {
		this.#header ??= this.#request.headers ?? new Headers();
		return this.#header;
	}

	/** The caller's metadata as it travels. */
	get metadata(): RawHeaders {
		this.#metadata ??= this.#encodeMetadata();
		return this.#metadata;
	}

	get maxResponseBytes(): number {
		return this.#policy.maxResponseMessageBytes ?? MAX_MESSAGE_BYTES;
	}

	/** Unary calls that may be sent twice: gRPC would commit them at the response headers, as it does all others. */
	get commitsAtEnd(): boolean {
		return (
			this.method.methodKind === "unary" &&
			(this.#policy.attempts?.kind === "hedge" || isIdempotent(this.method))
		);
	}

	/** What hooks and credentials see of the call. */
	get info(): CallInfo {
		this.#info ??= {
			service: this.method.parent.typeName,
			method: this.method.name,
			header: this.header,
			deadline: this.deadline,
		};
		return this.#info;
	}

	/**
	 * Sends it, with its one request, if that is all there is to send; or ends it at once: cancelled before it began, out of
	 * time, channel closed, request too large.
	 */
	start(only?: Uint8Array): void {
		this.#setDeadline();
		this.core.setting.hooks.callStart?.(this.info);
		if (!this.core.enter(this)) {
			this.#fail(Code.Unavailable, closedBefore().message);
			return;
		}
		const { signal } = this.#request;
		if (signal !== undefined) this.#follow(signal);
		this.#forgetScope = this.#request.scope?.onCancel((reason) =>
			this.#cancelWith(
				reason,
				"the call that it was made for was cancelled",
				true,
			),
		);
		if (this.#ended) return;
		if (this.#remainingMs() <= 0) {
			this.due();
			return;
		}
		if (only !== undefined) {
			this.#largestBytes = only.length;
			if (this.#refuseLarge() !== undefined) return;
		}
		const fallback = this.core.setting.circuitBreaker?.fallback;
		if (fallback !== undefined && this.method.methodKind === "unary") {
			this.#fallback = inContext(fallback);
		}
		const attempts = new CallAttempts(this, this);
		const { compression } = this.core.setting;
		if (only !== undefined && deflatesLater(only, compression)) {
			this.#queue = this.#newQueue(attempts);
			this.#queue.push(only);
			this.#queue.whenSent(() => {
				attempts.closeSend();
				this.#attempts = attempts;
				this.#takeTurn(attempts);
			});
			return;
		}
		this.#attempts = attempts;
		if (only !== undefined) {
			this.#write(only, attempts);
			attempts.closeSend();
		}
		this.#takeTurn(attempts);
	}

	/** Starts when the channel has fewer calls in flight than it may. */
	#takeTurn(attempts: CallAttempts): void {
		const limit = this.core.callLimit;
		const turn = limit?.admit(() => {
			this.#turn = "now";
			attempts.start();
		});
		this.#turn = turn;
		if (turn === "refused") {
			this.fail(madeByClient(limit?.refusal() as ConnectError));
		} else if (turn === undefined || turn === "now") {
			attempts.start();
		}
	}

	/** Sends a message; false: wait for `writable`. Throws ConnectError RESOURCE_EXHAUSTED above the limit. */
	send(message: Uint8Array): boolean {
		const { compression } = this.core.setting;
		const attempts = this.#attempts;
		this.#checkSize(message);
		if (attempts === undefined) return false;
		if (this.#queue !== undefined || deflatesLater(message, compression)) {
			this.#queue ??= this.#newQueue(attempts);
			this.#queue.push(message);
			return false;
		}
		return this.#write(message, attempts);
	}

	#write(message: Uint8Array, attempts: CallAttempts): boolean {
		const compressed = isCompressed(message, this.core.setting.compression);
		return attempts.write(compressed ? compress(message) : message, compressed);
	}

	/** Ends the request. */
	closeSend(): void {
		const attempts = this.#attempts;
		if (this.#queue === undefined) attempts?.closeSend();
		else this.#queue.whenSent(() => attempts?.closeSend());
	}

	/** Stops the delivery of messages, and so the server, until `release`. */
	hold(): void {
		this.#attempts?.hold();
	}

	release(): void {
		this.#attempts?.release();
	}

	/** Ends the call with CANCELED; an AbortSignal.timeout's reason, or a deadline's, makes it DEADLINE_EXCEEDED. */
	cancel(reason?: unknown, what = "the call was cancelled"): void {
		this.#cancelWith(reason, what, false);
	}

	/** `follows`: from the end of the call that it was made for. */
	#cancelWith(reason: unknown, what: string, follows: boolean): void {
		if (this.#ended) return;
		if (this.#remainingMs() <= 0) {
			this.due();
			return;
		}
		const code = isTimeout(reason) ? Code.DeadlineExceeded : Code.Canceled;
		const why = reason instanceof Error ? `: ${reason.message}` : "";
		const text = `${what}${why}`;
		this.fail(madeByClient(errorOf(code, text, reason), text, follows));
	}

	abandon(error: Error): void {
		this.#fail(Code.Canceled, error.message, error);
	}

	connectionSilent(connection: ClientConnection): void {
		this.#attempts?.connectionSilent(connection);
	}

	/** Ends the call with what was found out on this side. */
	fail(error: ConnectError): void {
		if (this.#ended) return;
		const { code, rawMessage } = error;
		// Of what ends a call on this side, only a deadline says something of the server.
		this.#attempts?.cancel(
			code === Code.DeadlineExceeded ? code : Code.Canceled,
		);
		this.#finish(
			{
				code,
				message: rawMessage,
				headers: NO_HEADERS,
				trailers: NO_HEADERS,
				local: true,
				progress: "processed",
				isGivenUp: true,
			},
			error,
		);
	}

	/** The service config has changed: that is for calls that could not be sent yet. */
	reconfigure(): void {
		const policy = this.#request.policy();
		if (policy === this.#policy || this.#attempts?.begun) return;
		this.#policy = policy;
		this.#setDeadline();
		this.#refuseLarge();
	}

	headers(headers: RawHeaders): void {
		this.#observer.headers(headers);
	}

	message(message: Uint8Array): void {
		this.#observer.message(message);
	}

	writable(): void {
		if (this.#queue === undefined) this.#observer.writable();
	}

	end(end: CallEnd): void {
		if (end.code === 0) {
			this.#finish(end, undefined);
			return;
		}
		const error = errorOfStatus(end, end.headers, end.trailers);
		if (end.cause !== undefined) error.cause = end.cause;
		if (end.local) madeByClient(error);
		if (this.#fallback !== undefined && isBreakerRefusal(end.cause)) {
			void this.#fallBack(this.#fallback, error);
		} else {
			this.#finish(end, error);
		}
	}

	/** The call goes on, within its deadline, with what the fallback has to give. */
	async #fallBack(
		fallback: NonNullable<CircuitBreakerOptions["fallback"]>,
		refusal: ConnectError,
	): Promise<void> {
		this.#fallingBack = true;
		try {
			const { method, info } = this;
			const message = await responseInstead(fallback, method, info, refusal);
			if (this.#ended) return;
			this.#observer.message(message);
			this.#finish(
				{
					code: 0,
					message: "",
					headers: NO_HEADERS,
					trailers: NO_HEADERS,
					local: true,
					progress: "processed",
				},
				undefined,
			);
		} catch (error) {
			this.fail(error as ConnectError);
		}
	}

	#newQueue(attempts: CallAttempts): MessageQueue {
		let room = false;
		return new MessageQueue(this.core.gzip.deflations, {
			send: (message, compressed) => {
				room = attempts.write(message, compressed);
			},
			emptied: () => {
				this.#queue = undefined;
				if (room) this.#observer.writable();
			},
			failed: (error) => this.#fail(Code.Internal, error.message, error),
		});
	}

	#checkSize(message: Uint8Array): void {
		this.#largestBytes = Math.max(this.#largestBytes, message.length);
		const error = this.#refuseLarge();
		if (error !== undefined) throw error;
	}

	/** Ends the call, if one of its requests is larger than its policy allows, and returns with what. */
	#refuseLarge(): ConnectError | undefined {
		const limit = this.#policy.maxRequestMessageBytes;
		if (limit === undefined || this.#largestBytes <= limit) return undefined;
		const text = `the request message has ${this.#largestBytes} bytes, more than the ${limit} that this client sends (maxRequestMessageBytes of its options or of the service config)`;
		const error = madeByClient(new ConnectError(text, Code.ResourceExhausted));
		this.fail(error);
		return error;
	}

	#encodeMetadata(): RawHeaders {
		if (this.#request.headers === undefined) return NO_HEADERS;
		const encoded: string[] = [];
		const hook = this.core.setting.hooks.metadataDropped;
		appendMetadata(
			encoded,
			this.header,
			hook && ((name) => hook(this.info, name)),
		);
		return encoded;
	}

	#setDeadline(): void {
		const { deadlines } = this.core;
		deadlines.delete(this);
		this.dueAt = deadlineOf(this.#request);
		if (this.dueAt !== Infinity) deadlines.add(this);
	}

	#remainingMs(): number {
		return this.dueAt - this.core.setting.clock.now();
	}

	#follow(signal: AbortSignal): void {
		this.#onAbort = () => this.cancel(signal.reason);
		if (signal.aborted) this.#onAbort();
		else signal.addEventListener("abort", this.#onAbort, { once: true });
	}

	/** Its deadline has passed. */
	due(): void {
		const { startedAt, scope } = this.#request;
		const deadline = this.dueAt;
		const inherited = deadline === scope?.deadline;
		const whose = inherited ? "the inherited deadline" : "the deadline";
		const length =
			deadline > startedAt
				? ` of ${formatDuration(Math.round(deadline - startedAt))}`
				: "";
		const passed = `${whose}${length} passed`;
		const text = `${passed} ${this.#whereabouts()}`;
		this.fail(
			madeByClient(errorOf(Code.DeadlineExceeded, text), passed, inherited),
		);
	}

	/** How far it has got, to follow "the deadline passed". */
	#whereabouts(): string {
		if (typeof this.#turn === "object") {
			return "while waiting for one of the calls in flight to end (maxConcurrentCalls)";
		}
		if (this.#fallingBack) return "while waiting for circuitBreaker.fallback";
		return this.#attempts?.progress ?? "before the call was sent";
	}

	#leaveTurn(): void {
		if (this.#turn === "now") this.core.callLimit?.ended();
		else if (typeof this.#turn === "object") this.#turn.leave();
	}

	#fail(code: Code, message: string, cause?: unknown): void {
		this.fail(madeByClient(errorOf(code, message, cause)));
	}

	#finish(end: CallEnd, error: ConnectError | undefined): void {
		if (this.#ended) return;
		this.#ended = true;
		this.#queue?.stop();
		const { clock, hooks } = this.core.setting;
		this.core.deadlines.delete(this);
		this.#forgetScope?.();
		if (this.#onAbort !== undefined) {
			this.#request.signal?.removeEventListener("abort", this.#onAbort);
		}
		this.core.leave(this);
		this.#leaveTurn();
		hooks.callEnd?.(this.info, {
			code: error?.code,
			error,
			latencyMs: clock.now() - this.#request.startedAt,
			attempts: this.#attempts?.count ?? 0,
		});
		this.#observer.end(end, error);
	}
}

function errorOf(code: Code, message: string, cause?: unknown): ConnectError {
	return new ConnectError(message, code, undefined, undefined, cause);
}

function isTimeout(reason: unknown): boolean {
	if (reason instanceof ConnectError) {
		return reason.code === Code.DeadlineExceeded;
	}
	return reason instanceof Error && reason.name === "TimeoutError";
}
