/** The time, for a policy that needs it at every pick: the start of a call follows its pick at once, and need not ask again. */
export class PickClock {
	readonly #now: () => number;
	/** As of the last `read`. */
	latest = 0;

	constructor(now: () => number) {
		this.#now = now;
	}

	read(): number {
		this.latest = this.#now();
		return this.latest;
	}
}
