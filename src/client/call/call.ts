import type { DescMethod } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { Subchannel } from "../../balancer/balancer.ts";
import { ambientScope, type CallScope } from "../../policy/call-scope.ts";
import type { Due } from "../../policy/deadlines.ts";
import type { CompiledMethodPolicy } from "../../policy/method-policy.ts";
import type { CallEnd, ClientConnection } from "../../wire/connection.ts";
import { NO_HEADERS, type RawHeaders } from "../../wire/headers.ts";
import { madeByClient } from "../../wire/inner-error.ts";
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
import { Attempt, FIRST_ATTEMPT } from "./attempt.ts";
import {
	cancelled,
	deadlinePassed,
	endOfError,
	localError,
} from "./call-errors.ts";
import {
	type CallObserver,
	type CallTerms,
	deadlineAfter,
	policyOf,
} from "./call-request.ts";
import { responseInstead } from "./fallback.ts";
import { followCancellation } from "./follow-cancellation.ts";
import {
	type MessageSink,
	OutgoingRequest,
	type RequestOwner,
} from "./outgoing-request.ts";
import type { PreparedMethod } from "./prepared-method.ts";
import { type RetriedCall, Retrying } from "./retrying.ts";

type Fallback = NonNullable<CircuitBreakerOptions["fallback"]>;

/** How a call ends whose response comes from the fallback. */
const FALLEN_BACK: CallEnd = {
	code: 0,
	message: "",
	headers: NO_HEADERS,
	trailers: NO_HEADERS,
	local: true,
	progress: "processed",
};

const NONE_TRIED: ReadonlySet<Subchannel> = new Set();

/**
 * One call of any kind: its deadline, its cancellation, its end. It owns its first attempt; `Retrying` makes further ones.
 * It is also what pickers see of it (`PickInfo`).
 */
export class Call implements RetriedCall, ChannelCall, Due, RequestOwner {
	readonly prepared: PreparedMethod;
	readonly core: ChannelCore;
	readonly request: OutgoingRequest;
	readonly #observer: CallObserver;
	/** Undefined for a call without options. */
	readonly #terms: CallTerms | undefined;
	readonly #scope: CallScope | undefined;
	readonly #startedAt: number;
	/** The policy of the method, which the call's own options complete to `policy`. */
	#methodPolicy: CompiledMethodPolicy;
	policy: CompiledMethodPolicy;
	dueAt = Infinity;
	duePlace = -1;
	/** The first attempt; once the call is committed, the attempt that it is committed to. */
	#attempt: Attempt | undefined;
	#retrying: Retrying | undefined;
	#committed = false;
	#sent = 0;
	/** Undefined where the channel has no limit. */
	#turn: ReturnType<CallLimit["admit"]> | undefined;
	/** Stops to follow the signal and the scope. */
	#unfollow: (() => void) | undefined;
	#header: Headers | undefined;
	#metadata: RawHeaders | undefined;
	#info: CallInfo | undefined;
	/** For when a circuit breaker refuses the call. */
	#fallback: Fallback | undefined;
	#isFallingBack = false;
	#attemptsOver = false;
	#ended = false;

	/** `terms` are undefined for a call without options, which begins now. */
	constructor(
		prepared: PreparedMethod,
		terms: CallTerms | undefined,
		observer: CallObserver,
	) {
		const { core, policies } = prepared;
		this.prepared = prepared;
		this.core = core;
		this.#observer = observer;
		this.#terms = terms;
		this.#scope = terms === undefined ? ambientScope() : terms.scope;
		this.#startedAt = terms?.startedAt ?? core.setting.clock.now();
		this.#methodPolicy = policies.current;
		this.policy = this.#mergedPolicy();
		this.request = new OutgoingRequest(this);
	}

	get method(): DescMethod {
		return this.prepared.method;
	}

	get hashKey(): string | undefined {
		return this.#terms?.hashKey;
	}

	get tried(): ReadonlySet<Subchannel> {
		return this.#retrying?.tried ?? NONE_TRIED;
	}

	get header(): Headers {
		this.#header ??= this.#terms?.headers ?? new Headers();
		return this.#header;
	}

	get metadata(): RawHeaders {
		if (this.#terms?.headers === undefined) return NO_HEADERS;
		this.#metadata ??= this.#encodeMetadata();
		return this.#metadata;
	}

	/** What hooks and credentials see of the call. */
	get info(): CallInfo {
		this.#info ??= {
			service: this.method.parent.typeName,
			method: this.method.name,
			header: this.header,
			deadline: this.dueAt === Infinity ? undefined : this.dueAt,
		};
		return this.#info;
	}

	get isOver(): boolean {
		return this.#attemptsOver;
	}

	get committed(): string | undefined {
		if (!this.#committed) return undefined;
		return this.request.isOutgrown
			? "the request is larger than what is kept to be sent again"
			: "response headers had arrived";
	}

	/**
	 * Starts the call, with its only request message, if it has just one. Or ends it at once: it was cancelled before, is
	 * out of time, its channel is closed, or its request too large.
	 */
	start(only?: Uint8Array): void {
		const { setting } = this.core;
		this.#setDeadline();
		setting.hooks.callStart?.(this.info);
		if (!this.core.enter(this)) {
			this.fail(localError(Code.Unavailable, closedBefore().message));
			return;
		}
		this.#follow();
		if (this.#ended) return;
		if (this.#isDue) {
			this.due();
			return;
		}
		const fallback = setting.circuitBreaker?.fallback;
		if (fallback !== undefined && this.prepared.isUnary) {
			this.#fallback = inContext(fallback);
		}
		if (only === undefined) this.#takeTurn();
		else this.request.takeOnly(only, () => this.#takeTurn());
	}

	/** Makes the first attempt once the channel has fewer calls in flight than it may. */
	#takeTurn(): void {
		const { callLimit } = this.core;
		if (callLimit !== undefined) {
			this.#turn = callLimit.admit(() => {
				this.#turn = "now";
				this.#makeAttempt();
			});
			if (this.#turn === "refused") {
				this.fail(madeByClient(callLimit.refusal()));
			}
			if (this.#turn !== "now") return;
		}
		this.#makeAttempt();
	}

	#makeAttempt(): void {
		this.#attempt = new Attempt(this, FIRST_ATTEMPT);
		this.#attempt.start();
	}

	// What the owner of the call does.

	/**
	 * Sends a message. Returns false when the owner should wait for `writable`.
	 *
	 * @throws ConnectError RESOURCE_EXHAUSTED for a message above the limit
	 */
	send(message: Uint8Array): boolean {
		return this.request.send(message);
	}

	/** Ends the request. */
	closeSend(): void {
		this.request.close();
	}

	/** Stops the delivery of messages, and so the server, until `release`. */
	hold(): void {
		if (this.#committed) this.#attempt?.hold();
	}

	release(): void {
		if (this.#committed) this.#attempt?.release();
	}

	/**
	 * Ends the call with CANCELED; for the reason of an AbortSignal.timeout or a deadline, with DEADLINE_EXCEEDED.
	 *
	 * @param follows whether it follows from the end of the call that this one was made for
	 */
	cancel(
		reason?: unknown,
		what = "the call was cancelled",
		follows = false,
	): void {
		if (this.#ended) return;
		if (this.#isDue) this.due();
		else this.fail(cancelled(reason, what, follows));
	}

	/** Ends the call with what was found out on this side. */
	fail(error: ConnectError): void {
		if (this.#ended) return;
		// Of what ends a call on this side, only a deadline says something about the server.
		this.#stopAttempts(
			error.code === Code.DeadlineExceeded ? error.code : Code.Canceled,
		);
		this.#finish(endOfError(error), error);
	}

	// What the channel tells.

	abandon(error: Error): void {
		this.fail(localError(Code.Canceled, error.message, error));
	}

	connectionSilent(connection: ClientConnection): void {
		const attempt = this.#attempt;
		if (this.#committed || attempt === undefined) return;
		if (this.#retrying === undefined) {
			if (attempt.connection !== connection) return;
			this.#retrying = new Retrying(this, attempt);
		}
		this.#retrying.connectionSilent(connection);
	}

	/** The deadline has passed. */
	due(): void {
		const { dueAt } = this;
		const isInherited = dueAt === this.#scope?.deadline;
		const where = this.#whereabouts();
		this.fail(deadlinePassed(this.#startedAt, dueAt, isInherited, where));
	}

	reconfigure(): void {
		const { current } = this.prepared.policies;
		if (current === this.#methodPolicy) return;
		if (this.#sent > 0 || this.#retrying?.hasBegun) return;
		this.#methodPolicy = current;
		this.policy = this.#mergedPolicy();
		this.#setDeadline();
		this.request.refuseLarge();
	}

	// What the attempts tell.

	attemptSent(attempt: Attempt): void {
		this.#sent += 1;
		if (this.request.isOutgrown) this.#commit(attempt);
		else if (this.policy.attempts?.kind === "hedge") {
			this.#retryingFrom(attempt).sent();
		}
	}

	attemptMiscarried(): void {
		this.#sent -= 1;
	}

	attemptHeaders(attempt: Attempt, headers: RawHeaders): void {
		if (!this.#committed) {
			if (this.#commitsAtEnd) return;
			this.#commit(attempt);
		}
		this.#observer.headers(headers);
	}

	attemptMessage(attempt: Attempt, message: Uint8Array): void {
		if (this.#committed) this.#observer.message(message);
		else attempt.withhold(message);
	}

	attemptWritable(): void {
		if (!this.request.isCompressing) this.#observer.writable();
	}

	attemptEnded(attempt: Attempt, end: CallEnd): void {
		// A hook that has heard of the end of the attempt may have cancelled the call.
		if (this.#attemptsOver) return;
		if (end.code === 0) {
			this.core.retryThrottle.succeeded();
			this.#stopAttempts(Code.Canceled);
			for (const message of attempt.withheld) this.#observer.message(message);
			this.#finish(end, undefined);
		} else if (this.#retrying !== undefined || this.#mayMend(end)) {
			this.#retryingFrom(attempt).failed(attempt, end);
		} else {
			this.attemptsFailed(end);
		}
	}

	attemptRefused(attempt: Attempt, end: CallEnd): void {
		if (this.#attemptsOver) return;
		if (this.#retrying === undefined) this.attemptsFailed(end);
		else this.#retrying.refused(attempt, end);
	}

	attemptsFailed(end: CallEnd): void {
		this.#stopAttempts(Code.Canceled);
		const error = errorOfStatus(end, end.headers, end.trailers);
		if (end.cause !== undefined) error.cause = end.cause;
		if (end.local) madeByClient(error);
		if (this.#fallback !== undefined && isBreakerRefusal(end.cause)) {
			void this.#fallBack(this.#fallback, error);
		} else {
			this.#finish(end, error);
		}
	}

	// What the request needs, and tells.

	get sink(): MessageSink | undefined {
		return this.#committed ? this.#attempt : (this.#retrying ?? this.#attempt);
	}

	get isSettled(): boolean {
		return this.#committed || this.#attemptsOver;
	}

	outgrown(): void {
		const attempt =
			this.#retrying === undefined ? this.#attempt : this.#retrying.firstSent;
		if (attempt?.subchannel !== undefined) this.#commit(attempt);
	}

	writable(): void {
		this.#observer.writable();
	}

	/**
	 * Hedged and idempotent unary calls: gRPC would commit them when response headers arrive, as it does all others. But
	 * their callers see nothing before the status, and until then any attempt can be replaced by another.
	 */
	get #commitsAtEnd(): boolean {
		const { isUnary, isIdempotent } = this.prepared;
		return isUnary && (isIdempotent || this.policy.attempts?.kind === "hedge");
	}

	/** Another attempt may follow the first, by the policy or because no server has acted on it. */
	#mayMend({ progress }: CallEnd): boolean {
		const { attempts } = this.policy;
		return (
			progress !== "processed" ||
			(attempts !== undefined && attempts.kind !== "once")
		);
	}

	#retryingFrom(first: Attempt): Retrying {
		this.#retrying ??= new Retrying(this, first);
		return this.#retrying;
	}

	#commit(winner: Attempt): void {
		this.#committed = true;
		this.#attempt = winner;
		this.#retrying?.commit(winner);
		this.request.buffer.free();
	}

	#stopAttempts(code: Code): void {
		this.#attemptsOver = true;
		const attempts = this.#retrying ?? this.#attempt;
		this.#attempt = undefined;
		attempts?.cancel(code);
		this.request.buffer.free();
	}

	/** The call goes on, within its deadline, with what the fallback gives. */
	async #fallBack(fallback: Fallback, refusal: ConnectError): Promise<void> {
		this.#isFallingBack = true;
		try {
			const { method, info } = this;
			const message = await responseInstead(fallback, method, info, refusal);
			if (this.#ended) return;
			this.#observer.message(message);
			this.#finish(FALLEN_BACK, undefined);
		} catch (error) {
			this.fail(error as ConnectError);
		}
	}

	#encodeMetadata(): RawHeaders {
		const encoded: string[] = [];
		const hook = this.core.setting.hooks.metadataDropped;
		appendMetadata(
			encoded,
			this.header,
			hook && ((name) => hook(this.info, name)),
		);
		return encoded;
	}

	#mergedPolicy(): CompiledMethodPolicy {
		const { policies } = this.prepared;
		const terms = this.#terms;
		if (terms === undefined) return policies.current;
		return policyOf({ ownPolicy: terms.ownPolicy, policies });
	}

	#setDeadline(): void {
		const { deadlines } = this.core;
		deadlines.delete(this);
		this.dueAt = deadlineAfter(this.policy, this.#startedAt, this.#scope);
		if (this.dueAt !== Infinity) deadlines.add(this);
	}

	get #isDue(): boolean {
		return this.dueAt <= this.core.setting.clock.now();
	}

	#follow(): void {
		const signal = this.#terms?.signal;
		if (signal === undefined && this.#scope === undefined) return;
		const unfollow = followCancellation(
			signal,
			this.#scope,
			(reason) => this.cancel(reason),
			(reason) =>
				this.cancel(
					reason,
					"the call that it was made for was cancelled",
					true,
				),
		);
		if (this.#ended) unfollow();
		else this.#unfollow = unfollow;
	}

	/** Describes how far the call has got, to follow "the deadline passed". */
	#whereabouts(): string {
		if (typeof this.#turn === "object") {
			return "while waiting for one of the calls in flight to end (maxConcurrentCalls)";
		}
		if (this.#isFallingBack) return "while waiting for circuitBreaker.fallback";
		const attempts = this.#retrying ?? this.#attempt;
		return attempts?.progress ?? "before the call was sent";
	}

	#finish(end: CallEnd, error: ConnectError | undefined): void {
		if (this.#ended) return;
		this.#ended = true;
		const { core } = this;
		this.request.stop();
		core.deadlines.delete(this);
		this.#unfollow?.();
		core.leave(this);
		if (this.#turn === "now") core.callLimit?.ended();
		else if (typeof this.#turn === "object") this.#turn.leave();
		core.setting.hooks.callEnd?.(this.info, {
			code: error?.code,
			error,
			latencyMs: core.setting.clock.now() - this.#startedAt,
			attempts: this.#sent,
		});
		this.#observer.end(end, error);
	}
}
