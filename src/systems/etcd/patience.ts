import { formatDuration } from "../../checks/duration.ts";
import type { Clock, Timer } from "../../policy/clock.ts";

/** How long etcd may take to answer on a stream, in milliseconds. */
const ANSWER_MS = 5000;
/** From one question to the next, where it is asked again. */
const AGAIN_MS = 1000;

/** Waits for an answer, for so long and no longer. */
export class Patience {
	readonly #clock: Clock;
	readonly #late: (error: Error) => void;
	#timer: Timer;

	constructor(clock: Clock, late: (error: Error) => void) {
		this.#clock = clock;
		this.#late = late;
	}

	/**
	 * Something was asked. What was asked before and is not answered yet keeps its time.
	 *
	 * @param again asks once more, each second, what may have been overheard
	 */
	asked(again?: () => void): void {
		if (this.#timer === undefined) this.#wait(ANSWER_MS, again);
	}

	/** Whatever was said is an answer. */
	answered(): void {
		this.#clock.cancel(this.#timer);
		this.#timer = undefined;
	}

	#wait(leftMs: number, again?: () => void): void {
		const ms = again === undefined ? leftMs : Math.min(AGAIN_MS, leftMs);
		this.#timer = this.#clock.afterIdle(ms, () => {
			if (ms === leftMs) {
				this.#late(new Error(`no answer in ${formatDuration(ANSWER_MS)}`));
				return;
			}
			again?.();
			this.#wait(leftMs - ms, again);
		});
	}
}
