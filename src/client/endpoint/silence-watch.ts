import type { Clock, Timer } from "../../policy/clock.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import type { PingBudget } from "./ping-budget.ts";
import { Probe, type ProbeOutcome } from "./probe.ts";

/** How long a peer has to answer, and how often a silent one is listened for, in milliseconds. */
const ANSWER_MS = 1000;

/** For the call whose deadline passes. */
const RESERVED_PINGS = 1;

/** A connection that has been silent for so long, in milliseconds, is given up. */
const GIVE_UP_MS = 20_000;

export interface SilenceListener {
	/** Calls wait for the peer, and it does not even answer a PING. */
	silent(): void;
	/** It was heard again. */
	heardAgain(): void;
	/** It has been silent for too long. */
	givenUp(afterMs: number): void;
}

/**
 * Notices that the peer of a connection with calls on it is stopped, or cut off: sooner than at the first deadline. A call
 * that merely takes long costs a PING or two.
 */
export class SilenceWatch implements ProbeOutcome {
	readonly #connection: ClientConnection;
	readonly #clock: Clock;
	readonly #silenceMs: number;
	readonly #listener: SilenceListener;
	readonly #budget: PingBudget;
	#probe: Probe | undefined;
	/** As of the last look. */
	#heard = 0;
	#questions = 0;
	#silentSince: number | undefined;
	#timer: Timer;

	/** `silenceMs`: of silence while calls wait, before the peer is asked; Infinity: it never is. */
	constructor(
		connection: ClientConnection,
		{ clock, silenceMs }: { readonly clock: Clock; readonly silenceMs: number },
		budget: PingBudget,
		listener: SilenceListener,
	) {
		this.#connection = connection;
		this.#clock = clock;
		this.#silenceMs = silenceMs;
		this.#budget = budget;
		this.#listener = listener;
	}

	get isSilent(): boolean {
		return this.#silentSince !== undefined;
	}

	/** As `isSilent`, at this moment: since the last look the peer may have been heard. */
	isStillSilent(): boolean {
		if (this.isSilent) this.#look();
		return this.isSilent;
	}

	/** There is something to wait for: a call is about to be sent, or a response has begun. */
	wait(): void {
		if (this.#timer !== undefined || this.#silenceMs === Infinity) return;
		this.#heard = this.#connection.heard;
		this.#questions = 0;
		this.#lookIn(this.#silenceMs);
	}

	answered(): void {
		this.#heard = this.#connection.heard;
		this.#lookIn(this.#silenceMs * 2 ** this.#questions);
	}

	silent(): void {
		this.#silentSince = this.#clock.now();
		this.#listener.silent();
		this.#lookIn(ANSWER_MS);
	}

	stop(): void {
		this.#clock.cancel(this.#timer);
		this.#probe?.stop();
		this.#connection.awaitResponse(() => {});
	}

	#lookIn(ms: number): void {
		this.#clock.cancel(this.#timer);
		this.#timer = this.#clock.afterIdle(ms, () => this.#look());
	}

	/** Most peers answer before they are asked. */
	#ask(): boolean {
		this.#probe ??= new Probe(this.#connection, this.#clock, ANSWER_MS, this);
		return this.#probe.ask();
	}

	#look(): void {
		const { heard, openCalls } = this.#connection;
		if (heard !== this.#heard) {
			this.#heard = heard;
			this.#questions = 0;
			if (this.#silentSince !== undefined) {
				this.#silentSince = undefined;
				this.#listener.heardAgain();
			}
		} else if (this.#silentSince !== undefined) {
			const silentMs = this.#clock.now() - this.#silentSince;
			if (silentMs >= GIVE_UP_MS) {
				this.#listener.givenUp(silentMs + ANSWER_MS);
				return;
			}
		} else if (openCalls > 0) {
			if (this.#budget.take(RESERVED_PINGS)) {
				this.#questions += 1;
				// Where nothing can be asked, silence says nothing: the calls there may take as long as they need.
				if (!this.#ask()) this.#timer = undefined;
			} else {
				// There is nothing to do before the next response, or the next call.
				this.#timer = undefined;
				this.#connection.awaitResponse(() => this.wait());
			}
			return;
		}
		if (this.isSilent) this.#lookIn(ANSWER_MS);
		else if (openCalls > 0) this.#lookIn(this.#silenceMs);
		else this.#timer = undefined;
	}
}
