import type { Clock, Timer } from "../../policy/clock.ts";
import type { Waiting } from "./waiting-calls.ts";

/** A call that waits for a stream to an endpoint whose connections have as many as the peer allows. */
export interface WaitingForRoom extends Waiting {
	/** It is its turn, and there is room. */
	takeRoom(): void;
}

/** Longer than any process waits for a stream. */
const FOREVER_MS = 2 ** 31 - 1;

/** The calls that wait with one endpoint for room on any of its connections: first come, first served. */
export class RoomQueue {
	readonly #clock: Clock;
	readonly #calls = new Set<WaitingForRoom>();
	/** Goes on where it was: to begin anew would pass by all that have left already. */
	#next: Iterator<WaitingForRoom> | undefined;
	#serving = false;
	#awake: Timer;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	get size(): number {
		return this.#calls.size;
	}

	add(call: WaitingForRoom): void {
		// A full connection may keep no process alive (its streams may be watches), but a call that waits does.
		if (this.#calls.size === 0) {
			this.#awake = this.#clock.after(FOREVER_MS, () => {});
		}
		this.#calls.add(call);
	}

	delete(call: WaitingForRoom): void {
		if (!this.#calls.delete(call) || this.#calls.size > 0) return;
		this.#clock.cancel(this.#awake);
		this.#next = undefined;
	}

	/** Gives each place to the first that waits, for as long as there are both. */
	serve(hasRoom: () => boolean): void {
		// A call that ends as it is sent makes room for the next: that is not to make the stack grow.
		if (this.#serving) return;
		this.#serving = true;
		// Each is asked once: one that comes back has to wait for the next time.
		for (let left = this.#calls.size; left > 0 && hasRoom(); left--) {
			const call = this.#takeFirst();
			if (call === undefined) break;
			call.takeRoom();
		}
		this.#serving = false;
	}

	/** There will be no room here: they have to look elsewhere. */
	dismiss(): void {
		for (const call of [...this.#calls]) {
			this.delete(call);
			call.pickAgain();
		}
	}

	#takeFirst(): WaitingForRoom | undefined {
		this.#next ??= this.#calls.values();
		const { value, done } = this.#next.next();
		if (done) {
			this.#next = undefined;
			return undefined;
		}
		this.delete(value);
		return value;
	}
}
