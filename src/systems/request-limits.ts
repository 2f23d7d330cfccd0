import type { Clock, Timer } from "../policy/clock.ts";

/** Limits a request by signals and by a time limit. */
export class RequestLimits implements Disposable {
	readonly #clock: Clock;
	readonly #stops: readonly AbortSignal[];
	readonly #end = new AbortController();
	#timer: Timer;

	/** @param stops signals that each end the request with their reason */
	constructor(clock: Clock, stops: readonly (AbortSignal | undefined)[]) {
		this.#clock = clock;
		this.#stops = stops.filter((signal) => signal !== undefined);
		for (const signal of this.#stops) {
			if (signal.aborted) this.#end.abort(signal.reason);
			signal.addEventListener("abort", this.#stop);
		}
	}

	/** Fires when the request must end. */
	get signal(): AbortSignal {
		return this.#end.signal;
	}

	/** Sets the time limit, counted from now. Replaces the limit before. */
	allow(ms: number, late: () => Error): void {
		this.#clock.cancel(this.#timer);
		this.#timer = this.#clock.afterIdle(ms, () => this.#end.abort(late()));
	}

	[Symbol.dispose](): void {
		this.#clock.cancel(this.#timer);
		for (const signal of this.#stops) {
			signal.removeEventListener("abort", this.#stop);
		}
	}

	readonly #stop = ({ target }: Event): void =>
		this.#end.abort((target as AbortSignal).reason);
}
