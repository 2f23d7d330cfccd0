/** A timer that is under way, to be given back to `Clock.cancel`. */
export type Timer = unknown;

/** Time, passed in, so that a test of it takes none. */
export interface Clock {
	/** Milliseconds on a clock that never jumps; its zero means nothing. */
	now(): number;
	/** Calls `action` once after `ms` milliseconds, and keeps the process alive until then. */
	after(ms: number, action: () => void): Timer;
	/** As `after`, but lets the process end meanwhile. */
	afterIdle(ms: number, action: () => void): Timer;
	/** A timer that has fired or is undefined is ignored. */
	cancel(timer: Timer): void;
}

/** Longer timers than this (24.8 days) fire at once in JavaScript. */
const MAX_TIMER_MS = 2 ** 31 - 1;

type PlatformTimer = ReturnType<typeof setTimeout>;

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
};
