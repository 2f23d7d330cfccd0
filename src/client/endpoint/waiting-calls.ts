import type { Clock, Timer } from "../../policy/clock.ts";

/** A call that waits for a connection. */
export interface Waiting {
	/** There is a new picker to ask, and maybe a new service config. */
	pickAgain(): void;
}

/** Longer than any process waits for a connection. */
const FOREVER_MS = 2 ** 31 - 1;

/** So many are asked for every picker; more have as many milliseconds between two as there are times as many. */
const FEW = 100;

/** The calls of a channel that wait for a connection, in the order in which they came. */
export class WaitingCalls {
	readonly #clock: Clock;
	readonly #calls = new Set<Waiting>();
	#awake: Timer;
	#mayAskAt = Number.NEGATIVE_INFINITY;
	#due: Timer;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	get size(): number {
		return this.#calls.size;
	}

	add(call: Waiting): void {
		if (this.#calls.size === 0) {
			// Sockets that connect keep no process alive, but a call that waits for one does.
			this.#awake = this.#clock.after(FOREVER_MS, () => {});
		}
		this.#calls.add(call);
	}

	delete(call: Waiting): void {
		if (this.#calls.delete(call) && this.#calls.size === 0) {
			this.#clock.cancel(this.#awake);
			this.wake();
		}
	}

	/** There is a new picker. Many calls that wait on are asked once for several pickers. */
	askAll(): void {
		const restMs = this.#mayAskAt - this.#clock.now();
		if (restMs > 0) {
			this.#due ??= this.#clock.afterIdle(restMs, () => {
				this.wake();
				this.askAll();
			});
			return;
		}
		for (const call of [...this.#calls]) call.pickAgain();
		const { size } = this.#calls;
		if (size > FEW) this.#mayAskAt = this.#clock.now() + size / FEW;
	}

	/** The next time they are asked at once. */
	wake(): void {
		this.#clock.cancel(this.#due);
		this.#due = undefined;
		this.#mayAskAt = Number.NEGATIVE_INFINITY;
	}
}
