import { AsyncLocalStorage } from "node:async_hooks";
import { type CallScope, setAmbientScope } from "../policy/call-scope.ts";

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

setAmbientScope(() => scopes.getStore());
