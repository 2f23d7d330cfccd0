/** The same callback is printed at most once in this time. */
const QUIET_MS = 1_000;

interface Printed {
	readonly at: number;
	/** How many errors have not been printed since. */
	skipped: number;
}

const printed = new Map<string, Printed>();

/**
 * Writes an error that cannot be reported to any caller to the console, with its stack. Never throws, whatever the error
 * is.
 */
export function printError(text: string, error: unknown): void {
	try {
		console.error(`homing: ${text}`, error);
	} catch {
		// Formatting an object may run its own code, which may throw.
		console.error(`homing: ${text} (an error that cannot be shown)`);
	}
}

/**
 * Prints what a user's callback, such as a hook, has thrown. The error has no other effect. A callback that throws often
 * is printed at most once a second, with the number of errors that were not printed.
 *
 * @param callback the name of the callback, as the docs call it
 */
export function printMistake(callback: string, error: unknown): void {
	const now = performance.now();
	const last = printed.get(callback);
	if (last !== undefined && now - last.at < QUIET_MS) {
		last.skipped += 1;
		return;
	}
	printed.set(callback, { at: now, skipped: 0 });
	const before =
		last === undefined || last.skipped === 0
			? ""
			: ` (and ${last.skipped} times before, which were not printed)`;
	printError(
		`${callback} threw, and no call is changed by it${before}:`,
		error,
	);
}

/** Forgets what has been printed, so that the next error is printed in any case. For tests. */
export function forgetPrinted(): void {
	printed.clear();
}
