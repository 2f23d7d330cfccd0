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
import type {
	CallEnd,
	CallListener,
	ClientConnection,
} from "../../wire/connection.ts";
import { type RawHeaders, valuesOf } from "../../wire/headers.ts";
import type { RequestBuffer } from "../channel/request-buffer.ts";
import { Attempt, type AttemptNumber, type AttemptOwner } from "./attempt.ts";
import type { AttemptedCall } from "./attempted-call.ts";

const FIRST: AttemptNumber = { number: 1, previous: 0, hedge: false };

/** Most calls have one: an array that is added to takes room for more. */
const NO_ATTEMPTS: readonly Attempt[] = [];

const NONE_TRIED: ReadonlySet<Subchannel> = new Set();

/**
 * All attempts of a call: one; or one after the other, or several at a time, as its policy says; and, whatever the policy,
 * again what no server has acted on (gRFC A6). Until the call is committed to one of them, the request is kept.
 */
export class CallAttempts implements AttemptOwner {
	readonly request: RequestBuffer;
	readonly #call: AttemptedCall;
	readonly #listener: CallListener;
	#inFlight: readonly Attempt[] = NO_ATTEMPTS;
	/** The attempt that the call is committed to. */
	#winner: Attempt | undefined;
	/** The request is too large to be kept: what is sent next wins. */
	#unkept = false;
	#rule: AttemptRule | undefined;
	/** Until the next attempt. */
	#timer: Timer;
	#launched = 0;
	#sent = 0;
	/** Those that the policy counts. */
	#made = 0;
	#tried: Set<Subchannel> | undefined;
	#refusedBefore = false;
	#lastFailure: CallEnd | undefined;
	#over = false;

	constructor(call: AttemptedCall, listener: CallListener) {
		this.#call = call;
		this.#listener = listener;
		this.request = call.core.newRequestBuffer();
	}

	/** How many have been sent. */
	get count(): number {
		return this.#sent;
	}

	/** One has been sent, or has failed: from now on the call keeps its policy. */
	get begun(): boolean {
		return this.#sent > 0 || this.#rule !== undefined;
	}

	/** Where those went that did not do: the next goes elsewhere, if it can. */
	get tried(): ReadonlySet<Subchannel> {
		return this.#tried ?? NONE_TRIED;
	}

	/** How far the call has got, to follow "the deadline passed". */
	get progress(): string {
		const where = this.#whereabouts();
		const failure = this.#lastFailure;
		return failure === undefined || where.includes("; last: ")
			? where
			: `${where}; last: [${codeName(failure.code as Code)}] ${failure.message}`;
	}

	start(): void {
		this.#make(false);
	}

	/** Sends a message, given without its prefix; false: wait for `writable`. */
	write(message: Uint8Array, compressed: boolean): boolean {
		if (this.#winner !== undefined) {
			return this.#winner.write(message, compressed);
		}
		if (this.#over) return false;
		const kept = this.request.add(message, compressed);
		let room = false;
		for (const attempt of this.#inFlight) {
			if (attempt.write(message, compressed)) room = true;
		}
		if (!kept) this.#outgrown();
		return room;
	}

	closeSend(): void {
		if (this.#winner !== undefined) {
			this.#winner.closeSend();
			return;
		}
		if (this.#over) return;
		this.request.close();
		for (const attempt of this.#inFlight) attempt.closeSend();
	}

	/** Only once messages have come: those of one attempt. */
	hold(): void {
		this.#winner?.hold();
	}

	release(): void {
		this.#winner?.release();
	}

	/** Ends all of them, as the call ended; nothing more is heard. */
	cancel(code: Code): void {
		this.#finish();
		if (this.#inFlight.length === 0) return;
		const all = this.#inFlight;
		this.#inFlight = NO_ATTEMPTS;
		for (const attempt of all) attempt.cancel(code);
	}

	/** The peer of this connection does not answer: an attempt there is made again elsewhere, if the policy allows. */
	connectionSilent(connection: ClientConnection): void {
		if (this.#winner !== undefined) return;
		for (const attempt of this.#inFlight) {
			if (attempt.connection !== connection) continue;
			if (!this.#currentRule()?.mayFollow(Code.Unavailable)) return;
			const end = attempt.unanswered();
			const decision = this.#decide(end);
			if (this.#over) return;
			if (decision.kind !== "next") continue;
			this.#lastFailure = end;
			this.#avoid(attempt);
			this.#remove(attempt);
			attempt.cancel(Code.Unavailable);
			this.#schedule(decision.delayMs);
		}
	}

	// What the attempts tell.

	sent(attempt: Attempt): void {
		this.#sent += 1;
		if (this.#unkept) {
			this.#commit(attempt);
			return;
		}
		// A retry policy has nothing to say before an attempt has failed, and most never do.
		if (this.#call.policy.attempts?.kind !== "hedge") return;
		const delayMs = this.#currentRule()?.afterSent?.();
		if (delayMs !== undefined) this.#schedule(delayMs);
	}

	headers(attempt: Attempt, headers: RawHeaders): void {
		if (this.#winner === undefined) {
			if (this.#call.commitsAtEnd) return;
			this.#commit(attempt);
		}
		this.#listener.headers(headers);
	}

	message(attempt: Attempt, message: Uint8Array): void {
		if (this.#winner === undefined) attempt.withhold(message);
		else this.#listener.message(message);
	}

	writable(): void {
		this.#listener.writable();
	}

	ended(attempt: Attempt, end: CallEnd): void {
		// A hook that has heard of it may have cancelled the call; so below.
		if (this.#over) return;
		this.#remove(attempt);
		if (end.code === 0) {
			this.#succeed(attempt, end);
			return;
		}
		if (this.#sentAgain(attempt, end)) return;
		this.#lastFailure = end;
		this.#avoid(attempt);
		const decision = this.#decide(end);
		if (this.#over) return;
		if (decision.kind === "next") {
			this.#schedule(decision.delayMs);
		} else if (decision.kind === "denied" && this.#inFlight.length > 0) {
			this.#cancelTimer();
		} else {
			this.#fail(end);
		}
	}

	refused(attempt: Attempt, end: CallEnd): void {
		this.#remove(attempt);
		// A hedge that cannot go does not end the call while others are under way.
		if (this.#inFlight.length === 0) this.#fail(end);
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

	/** Makes the next attempt that the policy counts. */
	#make(hedge: boolean): void {
		const number = ++this.#launched;
		const previous = this.#made++;
		this.#launch(previous === 0 ? FIRST : { number, previous, hedge });
	}

	#launch(which: AttemptNumber): void {
		for (const other of this.#inFlight) this.#avoid(other);
		const attempt = new Attempt(this.#call, this, which);
		this.#add(attempt);
		attempt.start();
	}

	#add(attempt: Attempt): void {
		const others = this.#inFlight;
		this.#inFlight = others.length === 0 ? [attempt] : [...others, attempt];
	}

	#remove(attempt: Attempt): void {
		this.#inFlight =
			this.#inFlight.length === 1
				? NO_ATTEMPTS
				: this.#inFlight.filter((other) => other !== attempt);
	}

	/** The next attempt prefers another endpoint. */
	#avoid({ subchannel }: Attempt): void {
		if (subchannel === undefined) return;
		this.#tried ??= new Set();
		this.#tried.add(subchannel);
	}

	/** The rule by the policy as it is once an attempt has been sent, or has failed. */
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
	 * left: proxies end many at a time, and a call may meet several (`keepalive_requests` of nginx).
	 */
	#sentAgain(attempt: Attempt, end: CallEnd): boolean {
		const { subchannel } = attempt;
		if (this.#winner !== undefined || subchannel === undefined) return false;
		if (end.progress === "miscarried") {
			this.#sent -= 1;
			this.#tell("transparent", 0, `did not reach ${subchannel.name}`);
			if (this.#over) return true;
			this.#add(attempt);
			attempt.startAgain();
			return true;
		}
		if (end.progress !== "refused" || this.#refusedBefore) return false;
		this.#refusedBefore = true;
		this.#tell("transparent", 0, `${subchannel.name} turned it away unseen`);
		if (this.#over) return true;
		this.#avoid(attempt);
		this.#launch({ ...attempt.which, number: ++this.#launched });
		return true;
	}

	#decide(end: CallEnd): AttemptDecision {
		const rule = this.#currentRule();
		if (rule === undefined) return { kind: "fatal" };
		const pushback = valuesOf(end.trailers, "grpc-retry-pushback-ms");
		let decision = rule.failed(end.code as Code, parsePushback(pushback));
		if (decision.kind !== "fatal" && this.#winner !== undefined) {
			const reason = this.#unkept
				? "the request is larger than what is kept to be sent again"
				: "response headers had arrived";
			decision = { kind: "denied", reason };
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

	#due(): void {
		this.#timer = undefined;
		const refusal = this.#rule?.refusal();
		if (refusal === undefined) {
			this.#make(this.#call.policy.attempts?.kind === "hedge");
			return;
		}
		this.#tell("denied", 0, refusal);
		if (this.#inFlight.length === 0) this.#fail(this.#lastFailure as CallEnd);
	}

	/** More was written than is kept: no attempt after this one. */
	#outgrown(): void {
		this.#unkept = true;
		const sent = this.#inFlight.find(
			({ subchannel }) => subchannel !== undefined,
		);
		if (sent !== undefined) this.#commit(sent);
	}

	#commit(winner: Attempt): void {
		this.#winner = winner;
		this.#cancelTimer();
		if (this.#inFlight.length > 1) {
			const all = this.#inFlight;
			this.#inFlight = [winner];
			for (const attempt of all) {
				if (attempt !== winner) attempt.cancel(Code.Canceled);
			}
		}
		this.request.free();
	}

	#succeed(attempt: Attempt, end: CallEnd): void {
		this.#call.core.retryThrottle.succeeded();
		this.cancel(Code.Canceled);
		for (const message of attempt.withheld) this.#listener.message(message);
		this.#listener.end(end);
	}

	#fail(end: CallEnd): void {
		this.cancel(Code.Canceled);
		// The server's own words stay as they are.
		const all =
			end.local && this.#made > 1
				? `; gave up after ${this.#made} attempts`
				: "";
		this.#listener.end(
			all === "" ? end : { ...end, message: `${end.message}${all}` },
		);
	}

	#finish(): void {
		this.#over = true;
		this.#cancelTimer();
		this.request.free();
	}

	#cancelTimer(): void {
		if (this.#timer === undefined) return;
		this.#call.core.setting.clock.cancel(this.#timer);
		this.#timer = undefined;
	}
}
