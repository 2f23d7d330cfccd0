import type { Code } from "@connectrpc/connect";

/** What to do after an attempt has failed. */
export type AttemptDecision =
	/** Make the next attempt after `delayMs` milliseconds. */
	| {
			readonly kind: "next";
			readonly delayMs: number;
			readonly reason: string;
	  }
	/**
	 * Make no further attempt, although the code is one that the policy retries. Attempts that are still in flight decide
	 * how the call ends.
	 */
	| { readonly kind: "denied"; readonly reason: string }
	/** Fail the call with the error of the attempt. */
	| { readonly kind: "fatal" };

/** Decides, for one call, when its policy wants another attempt. Holds the counts of that call; does no I/O. */
export interface AttemptRule {
	/**
	 * Returns the milliseconds after which the next attempt is due while the one just sent has not ended. Undefined: the
	 * next attempt is not due before this one has ended. Absent if that is always so.
	 */
	afterSent?(): number | undefined;
	/** Called when an attempt is due. Returns why it must not be made; returns undefined, and counts the attempt, if it may. */
	refusal(): string | undefined;
	/** Whether another attempt would follow if an attempt failed with this code now. Changes no count. */
	mayFollow(code: Code): boolean;
	/**
	 * Called when an attempt has failed. Not called for attempts that are retried transparently.
	 *
	 * @param pushback the milliseconds that the server asks the client to wait, or "never"; undefined if it asks for nothing
	 */
	failed(code: Code, pushback: number | "never" | undefined): AttemptDecision;
}
