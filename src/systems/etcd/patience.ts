import type { Clock, Timer } from "../../policy/clock.ts";
import { formatDuration } from "../../policy/duration.ts";

/** How long etcd may take to answer on a stream, in milliseconds. */
const ANSWER_MS = 5000;

/** Waits for an answer, for so long and no longer. */
export class Patience {
	readonly #clock: Clock;
	readonly #late: (error: Error) => void;
	#timer: Timer;

	constructor(clock: Clock, late: (error: Error) => void) {
		this.#clock = clock;
		this.#late = late;
	}

	/** Something was asked. What was asked before and is not answered yet keeps its time. */
	asked(): void {
		this.#timer ??= this.#clock.afterIdle(ANSWER_MS, () =>
			this.#late(new Error(`no answer in ${formatDuration(ANSWER_MS)}`)),
		);
	}

	/** Whatever was said is an answer. */
	answered(): void {
		this.#clock.cancel(this.#timer);
		this.#timer = undefined;
	}
}
