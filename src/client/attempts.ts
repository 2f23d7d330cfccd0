import type { Subchannel } from "../balancer/balancer.ts";
import type { CallListener } from "../wire/client-call.ts";
import { Attempt } from "./attempt.ts";
import type { Call } from "./call.ts";

/** The sending of a call: as one attempt, or as several of which the caller sees one. */
export interface Attempts {
	/** How many have been sent. */
	readonly count: number;
	/** Where they went. */
	readonly tried: ReadonlySet<Subchannel>;
	/** How far the call has got, to follow "the deadline passed". */
	readonly progress: string;
	/** Sends a framed message; false: wait for `writable`. */
	write(frame: Uint8Array): boolean;
	closeSend(frame?: Uint8Array): void;
	hold(): void;
	release(): void;
	/** Ends all of them; nothing more is heard. */
	cancel(): void;
}

/** Sends a call as its policy says. Here is one attempt, whatever the policy: retries and hedges are not there yet. */
export function startAttempts(call: Call, listener: CallListener): Attempts {
	const attempt = new Attempt(call, listener);
	attempt.start();
	return attempt;
}
