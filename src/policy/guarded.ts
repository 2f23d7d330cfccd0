import { printMistake } from "./print-error.ts";

/**
 * A user's callback that can break nothing: what it throws, or its promise rejects with, is printed under its `name`, and
 * that is all.
 */
export function guarded<This, Args extends unknown[]>(
	callback: (this: This, ...args: Args) => unknown,
	name: string,
): (this: This, ...args: Args) => void {
	return function (this: This, ...args: Args): void {
		try {
			disarm(callback.apply(this, args), name);
		} catch (error) {
			printMistake(name, error);
		}
	};
}

/** What a callback has returned of which nothing is wanted: the rejection of a promise would end the process. */
export function disarm(returned: unknown, name: string): void {
	if (typeof (returned as PromiseLike<unknown> | null)?.then !== "function") {
		return;
	}
	Promise.resolve(returned).catch((error) => printMistake(name, error));
}
