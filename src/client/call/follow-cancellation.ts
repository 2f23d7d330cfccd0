import type { CallScope } from "../../policy/call-scope.ts";

/**
 * Follows what may cancel a call: its signal, and the call that it was made for.
 *
 * @param aborted called at once if the signal has fired already
 * @returns a function that stops following
 */
export function followCancellation(
	signal: AbortSignal | undefined,
	scope: CallScope | undefined,
	aborted: (reason: unknown) => void,
	scopeCancelled: (reason: unknown) => void,
): () => void {
	const abort = (): void => aborted(signal?.reason);
	if (signal?.aborted) abort();
	else signal?.addEventListener("abort", abort, { once: true });
	const forget = scope?.onCancel(scopeCancelled);
	return () => {
		signal?.removeEventListener("abort", abort);
		forget?.();
	};
}
