/** A running timer, as `Clock.cancel` takes it. */
export type Timer = unknown;

/** The current time and timers. Code gets its clock passed in, so that tests can use a fake one and need not wait. */
export interface Clock {
	/** Milliseconds on a monotonic clock, counted from an arbitrary moment. */
	now(): number;
	/** Calls `action` once after `ms` milliseconds, and keeps the process alive until then. */
	after(ms: number, action: () => void): Timer;
	/** Does what `after` does, but does not keep the process alive. */
	afterIdle(ms: number, action: () => void): Timer;
	/** Cancels a timer. Does nothing for a timer that has fired and for undefined. */
	cancel(timer: Timer): void;
	/**
	 * Sets whether a running timer keeps the process alive. Returns false if the clock cannot do that for this timer; a fake
	 * clock need not have this method.
	 */
	setKeepsAlive?(timer: Timer, keepsAlive: boolean): boolean;
}

/** The longest delay of a JavaScript timer (24.8 days). A timer with a longer delay would fire immediately. */
const MAX_TIMER_MS = 2 ** 31 - 1;

type PlatformTimer = ReturnType<typeof setTimeout>;

/** The clock of the platform: `performance.now` and `setTimeout`. */
export const systemClock: Clock = {
	now: () => performance.now(),
	after: (ms, action) => setTimeout(action, Math.min(ms, MAX_TIMER_MS)),
	afterIdle: (ms, action) => {
		const timer: PlatformTimer | { unref?: () => void } = setTimeout(
			action,
			Math.min(ms, MAX_TIMER_MS),
		);
		if (typeof timer === "object") timer.unref?.();
		return timer;
	},
	cancel: (timer) => clearTimeout(timer as PlatformTimer | undefined),
	setKeepsAlive: (timer, keepsAlive) => {
		// In browsers a timer is a number.
		if (typeof timer !== "object") return false;
		if (keepsAlive) (timer as NodeJS.Timeout).ref();
		else (timer as NodeJS.Timeout).unref();
		return true;
	},
};
