import type { CallListener } from "../wire/client-call.ts";
import { Attempt } from "./attempt.ts";
import type { AttemptedCall, Attempts } from "./attempts.ts";

/** Sends a call as its policy says. There is one attempt, whatever the policy: retries and hedges are not there yet. */
export function startAttempts(
	call: AttemptedCall,
	listener: CallListener,
): Attempts {
	const attempt = new Attempt(call, listener);
	attempt.start();
	return attempt;
}
