import { Code } from "@connectrpc/connect";
import type { Subchannel } from "../../balancer/balancer.ts";
import type { Timer } from "../../policy/clock.ts";
import { codeName } from "../../policy/code.ts";
import type {
	AttemptDecision,
	AttemptRule,
} from "../../policy/retry/attempt-rule.ts";
import { HedgingRule } from "../../policy/retry/hedging-rule.ts";
import { RetryRule } from "../../policy/retry/retry-rule.ts";
import { parsePushback } from "../../policy/retry/retry-schedule.ts";
import type { CallEnd, ClientConnection } from "../../wire/connection.ts";
import { valuesOf } from "../../wire/headers.ts";
import { Attempt, type AttemptedCall, type AttemptNumber } from "./attempt.ts";

/** A call that may have more than one attempt. */
export interface RetriedCall extends AttemptedCall {
	/** Its attempts are over: it has ended, or is about to. */
	readonly isOver: boolean;
	/** Why no attempt can follow any more, whatever the policy says; undefined while one can. */
	readonly committed: string | undefined;
	/** An attempt that was counted as sent has not arrived. */
	attemptMiscarried(): void;
	/** Ends the call as an attempt has ended. */
	attemptsFailed(end: CallEnd): void;
}

/**
 * The attempts of a call that has more than one: one after the other, or several at a time, as its policy says; and,
 * whatever the policy, once more what no server has acted on (gRFC A6). A call makes one when its first attempt has failed
 * in a way that this may mend, or, for hedging, when the first attempt is sent.
 */
export class Retrying {
	readonly #call: RetriedCall;
	/** The attempts under way. Once the call is committed, the one that it is committed to. */
	#inFlight: Attempt[];
	#rule: AttemptRule | undefined;
	/** Until the next attempt. */
	#timer: Timer;
	#launched = 1;
	/** Those of them that the policy counts. */
	#made = 1;
	readonly #tried = new Set<Subchannel>();
	#refusedBefore = false;
	#lastFailure: CallEnd | undefined;

	constructor(call: RetriedCall, first: Attempt) {
		this.#call = call;
		this.#inFlight = [first];
	}

	/** The policy has had its say: from now on the call keeps it. */
	get hasBegun(): boolean {
		return this.#rule !== undefined;
	}

	/** Where those attempts went that did not succeed: the next goes elsewhere, if it can. */
	get tried(): ReadonlySet<Subchannel> {
		return this.#tried;
	}

	/** Describes how far the call has got, to follow "the deadline passed". */
	get progress(): string {
		const where = this.#whereabouts();
		const failure = this.#lastFailure;
		return failure === undefined || where.includes("; last: ")
			? where
			: `${where}; last: [${codeName(failure.code as Code)}] ${failure.message}`;
	}

	/** The attempt to which the call can be committed: the first that is sent. */
	get firstSent(): Attempt | undefined {
		return this.#inFlight.find(({ subchannel }) => subchannel !== undefined);
	}

	/** Sends a message on all attempts under way. Returns false when there is room on none. */
	send(message: Uint8Array, compressed: boolean): boolean {
		let room = false;
		for (const attempt of this.#inFlight) {
			if (attempt.send(message, compressed)) room = true;
		}
		return room;
	}

	closeSend(): void {
		for (const attempt of this.#inFlight) attempt.closeSend();
	}

	/** Ends all attempts. Nothing more is heard of them. */
	cancel(code: Code): void {
		this.#cancelTimer();
		const all = this.#inFlight;
		this.#inFlight = [];
		for (const attempt of all) attempt.cancel(code);
	}

	/** Ends all attempts but one. */
	commit(winner: Attempt): void {
		this.#cancelTimer();
		const all = this.#inFlight;
		this.#inFlight = [winner];
		for (const attempt of all) {
			if (attempt !== winner) attempt.cancel(Code.Canceled);
		}
	}

	/** An attempt was sent: another may be due before it has ended. */
	sent(): void {
		const delayMs = this.#currentRule()?.afterSent?.();
		if (delayMs !== undefined) this.#schedule(delayMs);
	}

	/** An attempt has failed. Makes another, waits for those under way, or ends the call. */
	failed(attempt: Attempt, end: CallEnd): void {
		this.#remove(attempt);
		if (this.#sentAgain(attempt, end)) return;
		this.#lastFailure = end;
		this.#avoid(attempt);
		const decision = this.#decide(end);
		if (this.#call.isOver) return;
		if (decision.kind === "next") {
			this.#schedule(decision.delayMs);
		} else if (decision.kind === "denied" && this.#inFlight.length > 0) {
			this.#cancelTimer();
		} else {
			this.#fail(end);
		}
	}

	/** An attempt cannot go, and no other could. A hedge does not end the call while others are under way. */
	refused(attempt: Attempt, end: CallEnd): void {
		this.#remove(attempt);
		if (this.#inFlight.length === 0) this.#fail(end);
	}

	/** The peer of this connection does not answer: an attempt there is made again elsewhere, if the policy allows. */
	connectionSilent(connection: ClientConnection): void {
		for (const attempt of this.#inFlight) {
			if (attempt.connection !== connection) continue;
			if (!this.#currentRule()?.mayFollow(Code.Unavailable)) return;
			const end = attempt.unanswered();
			const decision = this.#decide(end);
			if (this.#call.isOver) return;
			if (decision.kind !== "next") continue;
			this.#lastFailure = end;
			this.#avoid(attempt);
			this.#remove(attempt);
			attempt.cancel(Code.Unavailable);
			this.#schedule(decision.delayMs);
		}
	}

	#whereabouts(): string {
		const [first, ...others] = this.#inFlight;
		if (first === undefined) {
			return `after ${this.#made} ${this.#made === 1 ? "attempt" : "attempts"}`;
		}
		if (others.length > 0) {
			return `with ${others.length + 1} attempts under way, the first ${first.progress}`;
		}
		const number = first.which.previous + 1;
		return `${number > 1 ? `in attempt ${number} ` : ""}${first.progress}`;
	}

	#launch(which: AttemptNumber): void {
		for (const other of this.#inFlight) this.#avoid(other);
		const attempt = new Attempt(this.#call, which);
		this.#add(attempt);
		attempt.start();
	}

	/** Leaves the list as it was for whoever goes through it. */
	#add(attempt: Attempt): void {
		this.#inFlight = [...this.#inFlight, attempt];
	}

	#remove(attempt: Attempt): void {
		this.#inFlight = this.#inFlight.filter((other) => other !== attempt);
	}

	/** The next attempt prefers another endpoint. */
	#avoid({ subchannel }: Attempt): void {
		if (subchannel !== undefined) this.#tried.add(subchannel);
	}

	/** The rule of the policy, as that is once an attempt has been sent, or has failed. */
	#currentRule(): AttemptRule | undefined {
		const { core, policy } = this.#call;
		const { attempts } = policy;
		if (this.#rule === undefined && attempts !== undefined) {
			if (attempts.kind === "retry") {
				this.#rule = new RetryRule(attempts, core.retryThrottle, core.setting);
			} else if (attempts.kind === "hedge") {
				this.#rule = new HedgingRule(
					attempts,
					core.retryThrottle,
					core.setting,
				);
			}
		}
		return this.#rule;
	}

	/**
	 * Transparent retry (gRFC A6): what never left goes again whenever there is a connection; what a server turned away
	 * unseen goes again once. What was under way when its peer, which serves, ended the connection in order counts as never
	 * left: proxies end many connections at a time, and a call may meet several (`keepalive_requests` of nginx).
	 */
	#sentAgain(attempt: Attempt, end: CallEnd): boolean {
		const { subchannel } = attempt;
		const call = this.#call;
		if (call.committed !== undefined || subchannel === undefined) return false;
		if (end.progress === "miscarried") {
			call.attemptMiscarried();
			this.#tell("transparent", 0, `did not reach ${subchannel.name}`);
			if (call.isOver) return true;
			this.#add(attempt);
			attempt.startAgain();
			return true;
		}
		if (end.progress !== "refused" || this.#refusedBefore) return false;
		this.#refusedBefore = true;
		this.#tell("transparent", 0, `${subchannel.name} turned it away unseen`);
		if (call.isOver) return true;
		this.#avoid(attempt);
		this.#launch({ ...attempt.which, number: ++this.#launched });
		return true;
	}

	#decide(end: CallEnd): AttemptDecision {
		const rule = this.#currentRule();
		if (rule === undefined) return { kind: "fatal" };
		const pushback = valuesOf(end.trailers, "grpc-retry-pushback-ms");
		let decision = rule.failed(end.code as Code, parsePushback(pushback));
		const { committed } = this.#call;
		if (decision.kind !== "fatal" && committed !== undefined) {
			decision = { kind: "denied", reason: committed };
		}
		if (decision.kind === "next") {
			this.#tell("scheduled", decision.delayMs, decision.reason);
		} else if (decision.kind === "denied") {
			this.#tell("denied", 0, decision.reason);
		}
		return decision;
	}

	#tell(
		kind: "scheduled" | "denied" | "transparent",
		delayMs: number,
		reason: string,
	): void {
		const { core, info } = this.#call;
		core.setting.hooks.retry?.(info, { kind, delayMs, reason });
	}

	#schedule(delayMs: number): void {
		this.#cancelTimer();
		if (delayMs > 0) {
			const { clock } = this.#call.core.setting;
			this.#timer = clock.after(delayMs, () => this.#due());
		} else {
			this.#due();
		}
	}

	/** The next attempt that the policy counts is due. */
	#due(): void {
		this.#timer = undefined;
		const refusal = this.#rule?.refusal();
		if (refusal === undefined) {
			this.#launch({
				number: ++this.#launched,
				previous: this.#made++,
				hedge: this.#call.policy.attempts?.kind === "hedge",
			});
			return;
		}
		this.#tell("denied", 0, refusal);
		if (this.#inFlight.length === 0) this.#fail(this.#lastFailure as CallEnd);
	}

	#fail(end: CallEnd): void {
		// The server's own words stay as they are.
		this.#call.attemptsFailed(
			end.local && this.#made > 1
				? {
						...end,
						message: `${end.message}; gave up after ${this.#made} attempts`,
					}
				: end,
		);
	}

	#cancelTimer(): void {
		if (this.#timer === undefined) return;
		this.#call.core.setting.clock.cancel(this.#timer);
		this.#timer = undefined;
	}
}
