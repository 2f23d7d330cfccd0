import { guarded } from "../../policy/guarded.ts";

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
	if (hook !== undefined) guarded(hook, "onError of a server")(error, call);
}
