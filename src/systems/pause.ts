import type { Clock } from "../policy/clock.ts";

/** Waits that can be cut short; they keep no process alive. */
export class Pause {
	readonly #clock: Clock;
	#end: () => void = () => {};
	#hurry: () => void = () => {};

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Until `ms` are over, or `end` is called, or `hurry` when at least `minMs` are over. */
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

	hurry(): void {
		this.#hurry();
	}

	end(): void {
		this.#end();
	}
}
