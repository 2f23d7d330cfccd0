import type { ClientHooks } from "./hooks.ts";

/**
 * A user's callback that can break no call: what it throws becomes an uncaught exception, as what an event listener
 * throws does.
 */
export function guarded<This, Args extends unknown[]>(
	callback: (this: This, ...args: Args) => void,
): (this: This, ...args: Args) => void {
	return function (this: This, ...args: Args): void {
		try {
			callback.apply(this, args);
		} catch (error) {
			queueMicrotask(() => {
				throw error;
			});
		}
	};
}

/** Each hook guarded; those that are absent stay absent. */
export function guardedHooks(hooks: ClientHooks): ClientHooks {
	return Object.fromEntries(
		Object.entries(hooks)
			.filter(([, hook]) => hook !== undefined)
			.map(([name, hook]) => [name, guarded(hook.bind(hooks))]),
	);
}
