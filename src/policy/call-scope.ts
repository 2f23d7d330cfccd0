import type { HandlerContext } from "@connectrpc/connect";

/** What the calls made inside a handler inherit from the call that it handles. */
export interface CallScope {
	/** Milliseconds of `performance.now()`; undefined when the call has no deadline. */
	readonly deadline: number | undefined;
	/**
	 * Calls `listener` once when the call is cancelled or its deadline passes, at once if that has happened, but not when
	 * the handler ends well. Returns a function that forgets the listener.
	 */
	onCancel(listener: (reason: unknown) => void): () => void;
}

/** Where a homing server's HandlerContext carries its scope. */
export const callScope: unique symbol = Symbol.for("homing.callScope");

let ambient: () => CallScope | undefined = () => undefined;

/** The scope of the handler that this code runs in; undefined outside of any. */
export function ambientScope(): CallScope | undefined {
	return ambient();
}

/** How `ambientScope` finds its answer: a server sets it, so that a program without one pays nothing for it. */
export function setAmbientScope(find: () => CallScope | undefined): void {
	ambient = find;
}

/** The scope of a handler's context, be it homing's or another Connect server's. */
export function scopeOf(context: HandlerContext): CallScope {
	const own = (context as { [callScope]?: CallScope })[callScope];
	return own ?? foreignScope(context);
}

/** Connect's signal fires when the handler ends well, too: it cannot be told apart there. */
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
