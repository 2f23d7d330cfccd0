import type { Duration } from "./duration.ts";
import type { HedgingPolicy } from "./hedging-policy.ts";
import type { RetryPolicy } from "./retry-policy.ts";

/**
 * What one level says of a method. Retry and hedging are one slot: the nearest
 * level that sets either decides.
 */
export interface MethodPolicy {
	/** 0 switches the timeout off. */
	timeout?: Duration | undefined;
	/** Wait for a connection until the deadline, rather than fail while there is none. */
	waitForReady?: boolean | undefined;
	/** `false` switches off the retries and hedges that other levels ask for. */
	retryPolicy?: RetryPolicy | false | undefined;
	hedgingPolicy?: HedgingPolicy | undefined;
	/** Of one message, before compression. */
	maxRequestMessageBytes?: number | undefined;
	/** Of one message, after decompression. */
	maxResponseMessageBytes?: number | undefined;
}
