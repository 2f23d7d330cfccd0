import { guarded } from "../../policy/guarded.ts";

/** The call in which an error has occurred, for the hook `onError`. */
export interface FailedCall {
	/** The full name of the service: "package.Service". "" if the error did not occur in a call. */
	readonly service: string;
	/** The name of the method as the proto spells it. "" if the error did not occur in a call. */
	readonly method: string;
}

/** The type of the option `onError` of a server: called with an error, and the call in which it has occurred. */
export type ErrorHook = (error: unknown, call: FailedCall) => void;

/** Calls the hook, if there is one. What it throws, or its promise rejects with, is only written to the console. */
export function tellHook(
	hook: ErrorHook | undefined,
	error: unknown,
	call: FailedCall,
): void {
	if (hook !== undefined) guarded(hook, "onError of a server")(error, call);
}
