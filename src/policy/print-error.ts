/** How often, at most, the same is printed. */
const QUIET_MS = 1_000;

interface Printed {
	readonly at: number;
	/** Since then. */
	left: number;
}

const printed = new Map<string, Printed>();

/**
 * Writes an error that nobody is there to hear of to the console, with its stack. Never throws, whatever the error is.
 */
export function printError(text: string, error: unknown): void {
	try {
		console.error(`homing: ${text}`, error);
	} catch {
		// Objects may throw while they are shown.
		console.error(`homing: ${text} (an error that cannot be shown)`);
	}
}

/**
 * As `printError`, for what a callback of the user's has thrown, such as a hook, of which nothing else comes. One that
 * throws in each call is printed once a second, with how many times there were before.
 *
 * @param callback what has thrown, as the docs call it
 */
export function printMistake(callback: string, error: unknown): void {
	const now = performance.now();
	const last = printed.get(callback);
	if (last !== undefined && now - last.at < QUIET_MS) {
		last.left += 1;
		return;
	}
	printed.set(callback, { at: now, left: 0 });
	const before =
		last === undefined || last.left === 0
			? ""
			: ` (and ${last.left} times before, which were not printed)`;
	printError(
		`${callback} threw, and no call is changed by it${before}:`,
		error,
	);
}

/** Prints what comes next as if nothing had been printed before: for tests that share a process. */
export function forgetPrinted(): void {
	printed.clear();
}
