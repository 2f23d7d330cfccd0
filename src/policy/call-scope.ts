import type { HandlerContext } from "@connectrpc/connect";

/** What the calls that a handler makes inherit from the call that it handles: the deadline and the cancellation. */
export interface CallScope {
	/** The deadline in milliseconds, on the clock of `performance.now()`; undefined when the call has no deadline. */
	readonly deadline: number | undefined;
	/**
	 * Calls `listener` once, with the reason, when the call is cancelled or its deadline passes; immediately if that has
	 * already happened. Does not call it when the handler ends normally. Returns a function that removes the listener.
	 */
	onCancel(listener: (reason: unknown) => void): () => void;
}

/** The key under which the HandlerContext of a homing server holds its scope. */
export const callScope: unique symbol = Symbol.for("homing.callScope");

let ambient: () => CallScope | undefined = () => undefined;

/** The scope of the handler in which this code runs; undefined outside of a handler. */
export function ambientScope(): CallScope | undefined {
	return ambient();
}

/** Sets how `ambientScope` finds the scope. A server calls it, so that a program without a server has no cost. */
export function setAmbientScope(find: () => CallScope | undefined): void {
	ambient = find;
}

/** The scope of a handler's context, whether the context comes from a homing server or from another Connect server. */
export function scopeOf(context: HandlerContext): CallScope {
	const own = (context as { [callScope]?: CallScope })[callScope];
	return own ?? foreignScope(context);
}

/**
 * The scope of a call on another Connect server. Connect's signal also fires when the handler ends normally, so there
 * `onCancel` calls its listener in that case too.
 */
function foreignScope(context: HandlerContext): CallScope {
	const remaining = context.timeoutMs();
	return {
		deadline:
			remaining === undefined ? undefined : performance.now() + remaining,
		onCancel: (listener) => {
			const { signal } = context;
			const fire = (): void => listener(signal.reason);
			if (signal.aborted) {
				fire();
				return () => {};
			}
			signal.addEventListener("abort", fire, { once: true });
			return () => signal.removeEventListener("abort", fire);
		},
	};
}
