import type { Clock, Timer } from "../policy/clock.ts";

/** How long a request may go on: until somebody stops it, or a time is over. */
export class RequestLimits implements Disposable {
	readonly #clock: Clock;
	readonly #stops: readonly AbortSignal[];
	readonly #end = new AbortController();
	#timer: Timer;

	/** @param stops each of them ends the request, with its reason */
	constructor(clock: Clock, stops: readonly (AbortSignal | undefined)[]) {
		this.#clock = clock;
		this.#stops = stops.filter((signal) => signal !== undefined);
		for (const signal of this.#stops) {
			if (signal.aborted) this.#end.abort(signal.reason);
			signal.addEventListener("abort", this.#stop);
		}
	}

	/** Fires when it is over. */
	get signal(): AbortSignal {
		return this.#end.signal;
	}

	/** From now on it may take so long, and no more than that; what was allowed before is void. */
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
