import type { Clock } from "../policy/clock.ts";

/** Longer than a registration takes, whether it succeeds or fails. */
const AWAKE_MS = 60_000;

/**
 * Keeps the process alive until an action has ended. Sockets and timers of homing do not do that, but a program that waits
 * for a registration must not end before it is made.
 */
export async function keepingAlive(
	clock: Clock,
	action: () => Promise<void>,
): Promise<void> {
	const awake = clock.after(AWAKE_MS, () => {});
	try {
		await action();
	} finally {
		clock.cancel(awake);
	}
}
