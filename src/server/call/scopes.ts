import { AsyncLocalStorage } from "node:async_hooks";
import { type CallScope, setAmbientScope } from "../../policy/call-scope.ts";
import { iteratorOf } from "./message-iterables.ts";

const scopes: AsyncLocalStorage<CallScope> = new AsyncLocalStorage();

/** Runs `step`, and what follows from it, inside the scope of a call. */
export function inScope<A extends unknown[], R>(
	scope: CallScope,
	step: (...args: A) => R,
	...args: A
): R {
	return scopes.run(scope, step, ...args);
}

/** Runs `step` outside of any call: what it starts is no call's own. */
export function outsideScopes<R>(step: () => R): R {
	return scopes.exit(step);
}

/**
 * Remembers the asynchronous context in which it is called, with all that others keep in an AsyncLocalStorage. What it
 * returns makes each step of an iteration run in that context, whoever asks for it.
 */
export function iteratedInContext(): (
	messages: unknown,
) => AsyncIterableIterator<unknown, undefined> {
	const inside = AsyncLocalStorage.snapshot();
	return (messages) => {
		const iterator = inside(iteratorOf, messages);
		return {
			[Symbol.asyncIterator]() {
				return this;
			},
			next: async () => inside(() => iterator.next()),
			async return() {
				await inside(() => iterator.return?.());
				return { done: true, value: undefined };
			},
		};
	};
}

setAmbientScope(() => scopes.getStore());
