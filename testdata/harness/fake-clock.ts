import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../../src/policy/clock.ts";

interface FakeTimer {
	readonly at: number;
	readonly action: () => void;
}

/** A clock that a test advances. */
export class FakeClock implements Clock {
	#now = 0;
	readonly #timers = new Set<FakeTimer>();

	now(): number {
		return this.#now;
	}

	after(ms: number, action: () => void): Timer {
		const timer: FakeTimer = { at: this.#now + ms, action };
		this.#timers.add(timer);
		return timer;
	}

	afterIdle(ms: number, action: () => void): Timer {
		return this.after(ms, action);
	}

	cancel(timer: Timer): void {
		this.#timers.delete(timer as FakeTimer);
	}

	/** Timers that have neither fired nor been cancelled. */
	get pending(): number {
		return this.#timers.size;
	}

	/** Advances the time without firing timers, so that they are late. */
	jump(ms: number): void {
		this.#now += ms;
	}

	/** Advances the time. Timers fire in order, and promise callbacks run in between. */
	async advance(ms: number): Promise<void> {
		const end = this.#now + ms;
		await settled();
		for (;;) {
			const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
			if (next === undefined || next.at > end) {
				break;
			}
			this.#timers.delete(next);
			this.#now = Math.max(this.#now, next.at);
			next.action();
			await settled();
		}
		this.#now = end;
		await settled();
	}
}

/** Resolves when all pending promise callbacks have run. */
export async function settled(): Promise<void> {
	await setImmediate();
}
