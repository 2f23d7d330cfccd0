import { AsyncResource } from "node:async_hooks";

const outside = new AsyncResource("homing");

/**
 * Runs what outlives a call (channels, resolvers, shared timers) in the context in which homing was loaded, so that it
 * keeps nothing of the call that happened to come first.
 */
export function outsideCalls<T>(run: () => T): T {
	return outside.runInAsyncScope(run);
}

/** A callback that runs in the context in which it was given, whoever calls it. */
export function inContext<Args extends unknown[], Result>(
	callback: (...args: Args) => Result,
): (...args: Args) => Result {
	return AsyncResource.bind(callback);
}
