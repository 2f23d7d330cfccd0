import { printMistake } from "./print-error.ts";

/**
 * Wraps a user's callback so that an error in it does no harm: what it throws, or what its promise rejects with, is
 * printed with the callback's `name` and has no other effect.
 */
export function guarded<This, Args extends unknown[]>(
	callback: (this: This, ...args: Args) => unknown,
	name: string,
): (this: This, ...args: Args) => void {
	return function (this: This, ...args: Args): void {
		try {
			printRejection(callback.apply(this, args), name);
		} catch (error) {
			printMistake(name, error);
		}
	};
}

/**
 * Takes a return value that is not used. If it is a promise, prints its rejection, which would otherwise end the process
 * as an unhandled rejection.
 */
export function printRejection(returned: unknown, name: string): void {
	if (typeof (returned as PromiseLike<unknown> | null)?.then !== "function") {
		return;
	}
	Promise.resolve(returned).catch((error) => printMistake(name, error));
}
