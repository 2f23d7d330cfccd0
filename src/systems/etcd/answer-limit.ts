import { formatDuration } from "../../checks/duration.ts";
import type { Clock, Timer } from "../../policy/clock.ts";

/** How long etcd may take to answer a request on a stream, in milliseconds. */
const ANSWER_MS = 5000;
/** How often an unanswered request is repeated, in milliseconds. */
const REPEAT_MS = 1000;

/** Limits the time in which etcd must answer on a stream. */
export class AnswerLimit {
	readonly #clock: Clock;
	readonly #late: (error: Error) => void;
	#timer: Timer;

	/** @param late called with the error if no answer comes in time */
	constructor(clock: Clock, late: (error: Error) => void) {
		this.#clock = clock;
		this.#late = late;
	}

	/**
	 * Called when a request has been sent. A limit that is already running keeps its time.
	 *
	 * @param repeat sends the request again; called each second, for requests that etcd may ignore
	 */
	requested(repeat?: () => void): void {
		if (this.#timer === undefined) this.#wait(ANSWER_MS, repeat);
	}

	/** Called with each response, whatever its content. */
	answered(): void {
		this.#clock.cancel(this.#timer);
		this.#timer = undefined;
	}

	#wait(leftMs: number, repeat?: () => void): void {
		const ms = repeat === undefined ? leftMs : Math.min(REPEAT_MS, leftMs);
		this.#timer = this.#clock.afterIdle(ms, () => {
			if (ms === leftMs) {
				this.#late(new Error(`no answer in ${formatDuration(ANSWER_MS)}`));
				return;
			}
			repeat?.();
			this.#wait(leftMs - ms, repeat);
		});
	}
}
