import type { Clock, Timer } from "../../policy/clock.ts";
import type { ClientConnection } from "../../wire/connection.ts";

/** What came of a question. */
export interface ProbeOutcome {
	answered(): void;
	/** Nothing at all has been read from the peer in that time. */
	silent(): void;
}

/** Asks by PING whether the peer of a connection is still there: one question at a time. Whatever it says is an answer. */
export class Probe {
	readonly #connection: ClientConnection;
	readonly #clock: Clock;
	readonly #withinMs: number;
	readonly #outcome: ProbeOutcome;
	#timer: Timer;
	/** Counts the questions, as an answer may come late. */
	#asked = 0;
	#waiting = false;

	constructor(
		connection: ClientConnection,
		clock: Clock,
		withinMs: number,
		outcome: ProbeOutcome,
	) {
		this.#connection = connection;
		this.#clock = clock;
		this.#withinMs = withinMs;
		this.#outcome = outcome;
	}

	/** For an answer. */
	get isWaiting(): boolean {
		return this.#waiting;
	}

	/** false: the question could not be sent. That says nothing about the peer, and no outcome follows. */
	ask(): boolean {
		if (this.#waiting) return true;
		this.#waiting = true;
		const question = ++this.#asked;
		const before = this.#connection.heard;
		const conclude = (): void => {
			this.#waiting = false;
			this.#timer = undefined;
			if (this.#connection.heard === before) this.#outcome.silent();
			else this.#outcome.answered();
		};
		// A process that was held up itself has answers to read first: they come between two timers.
		this.#timer = this.#clock.afterIdle(this.#withinMs, () => {
			this.#timer = this.#clock.afterIdle(0, conclude);
		});
		const isSent = this.#connection.ping(() => {
			if (!this.#waiting || question !== this.#asked) return;
			this.stop();
			this.#outcome.answered();
		});
		if (!isSent) this.stop();
		return isSent;
	}

	stop(): void {
		this.#waiting = false;
		this.#clock.cancel(this.#timer);
		this.#timer = undefined;
	}
}
