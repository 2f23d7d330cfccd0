import type { Code } from "@connectrpc/connect";
import type { CodeName } from "./code.ts";
import type { Duration } from "./duration.ts";

/** When a failed call is tried again (gRFC A6). */
export interface RetryPolicy {
	/** With the first attempt: 2 or more; more than 5 means 5 unless the channel raises the cap. */
	maxAttempts: number;
	/** More than 0. */
	initialBackoff: Duration;
	/** More than 0. */
	maxBackoff: Duration;
	/** More than 0. */
	backoffMultiplier: number;
	/** At least one. */
	retryableStatusCodes: readonly (CodeName | Code)[];
}
