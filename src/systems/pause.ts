import type { Clock } from "../policy/clock.ts";

/** A wait that can be shortened. It does not keep the process alive. */
export class Pause {
	readonly #clock: Clock;
	#end: () => void = () => {};
	#hurry: () => void = () => {};

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Waits `ms`. It ends earlier when `end` is called, and when `hurry` is called, but then not before `minMs`. */
	wait(ms: number, minMs = ms): Promise<void> {
		if (ms <= 0) return Promise.resolve();
		const { promise, resolve } = Promise.withResolvers<void>();
		const clock = this.#clock;
		const least = clock.now() + minMs;
		let timer = clock.afterIdle(ms, resolve);
		this.#hurry = () => {
			clock.cancel(timer);
			timer = clock.afterIdle(Math.max(least - clock.now(), 0), resolve);
		};
		this.#end = () => {
			clock.cancel(timer);
			resolve();
		};
		return promise.finally(() => {
			this.#hurry = () => {};
			this.#end = () => {};
		});
	}

	/** Shortens the current wait to its `minMs`. */
	hurry(): void {
		this.#hurry();
	}

	/** Ends the current wait at once. */
	end(): void {
		this.#end();
	}
}
