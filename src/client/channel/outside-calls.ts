import { AsyncResource } from "node:async_hooks";

const outside = new AsyncResource("homing");

/**
 * Runs code that outlives a call (channels, resolvers, shared timers) in the asynchronous context in which homing was loaded, so
 * that it holds nothing of the call that happened to come first.
 */
export function outsideCalls<T>(run: () => T): T {
	return outside.runInAsyncScope(run);
}

/** Makes a callback that runs in the present asynchronous context, whoever calls it. */
export function inContext<Args extends unknown[], Result>(
	callback: (...args: Args) => Result,
): (...args: Args) => Result {
	return AsyncResource.bind(callback);
}
