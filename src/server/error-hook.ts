import { printMistake } from "../policy/print-error.ts";

/** The call that an `onError` hook hears of. */
export interface FailedCall {
	/** "package.Service"; "" when what failed was no call. */
	readonly service: string;
	/** The method's name in the proto; "" when what failed was no call. */
	readonly method: string;
}

export type ErrorHook = (error: unknown, call: FailedCall) => void;

/** Tells the hook, if there is one. What that throws, or its promise rejects with, is printed, and goes no further. */
export function tellHook(
	hook: ErrorHook | undefined,
	error: unknown,
	call: FailedCall,
): void {
	const failed = (thrown: unknown): void =>
		printMistake("onError of a server", thrown);
	try {
		const result: unknown = hook?.(error, call);
		// An async function is a hook, too; its rejection would be nobody's.
		Promise.resolve(result).catch(failed);
	} catch (thrown) {
		failed(thrown);
	}
}
