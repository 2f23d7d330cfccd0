import type { Code } from "@connectrpc/connect";
import type { CodeName } from "./code.ts";
import type { Duration } from "./duration.ts";

/** Send a call several times without waiting for it to fail (gRFC A6). */
export interface HedgingPolicy {
	/** With the first attempt: 2 or more; more than 5 means 5 unless the channel raises the cap. */
	maxAttempts: number;
	/** Between one attempt and the next. 0 or none: all at once. */
	hedgingDelay?: Duration | undefined;
	/** Failures that send the next attempt at once; any other ends the call. */
	nonFatalStatusCodes?: readonly (CodeName | Code)[] | undefined;
}
