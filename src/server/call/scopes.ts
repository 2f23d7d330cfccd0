import { AsyncLocalStorage } from "node:async_hooks";
import { type CallScope, setAmbientScope } from "../../policy/call-scope.ts";
import { iteratorOf } from "./message-iterables.ts";

const scopes: AsyncLocalStorage<CallScope> = new AsyncLocalStorage();

/** Runs `step`, and what follows from it asynchronously, inside the scope of a call. */
export function inScope<A, B>(
	scope: CallScope,
	step: (a: A, b: B) => void,
	a: A,
	b: B,
): void {
	scopes.run(scope, step, a, b);
}

/** Runs `step` outside the scope of any call, so that what it starts belongs to none. */
export function outsideScopes<R>(step: () => R): R {
	return scopes.exit(step);
}

/**
 * Captures the asynchronous context in which it is called, everybody's AsyncLocalStorage included. The function that it
 * returns wraps an iteration so that each step runs in that context, whoever asks for it.
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
