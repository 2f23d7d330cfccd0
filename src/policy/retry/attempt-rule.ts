import type { Code } from "@connectrpc/connect";

/** What to do now that an attempt has failed. */
export type AttemptDecision =
	/** Make the next after `delayMs` milliseconds. */
	| {
			readonly kind: "next";
			readonly delayMs: number;
			readonly reason: string;
	  }
	/** The policy would have another, but there shall be none: those still under way decide. */
	| { readonly kind: "denied"; readonly reason: string }
	/** The call fails as the attempt did. */
	| { readonly kind: "fatal" };

/** How one call goes by its attempt policy. */
export interface AttemptRule {
	/** Milliseconds from the sending of an attempt until the next is due, should it not have ended; undefined: not before it ends. Absent where that is always so. */
	afterSent?(): number | undefined;
	/** Asked when an attempt is due: why it shall not be made after all; undefined counts it as made. */
	refusal(): string | undefined;
	/** Whether another attempt would follow a failure with this code, as things stand. Counts nothing. */
	mayFollow(code: Code): boolean;
	/** Of those that the policy counts. `pushback`: milliseconds, or "never", if the server said so. */
	failed(code: Code, pushback: number | "never" | undefined): AttemptDecision;
}
