import type { RetryThrottling } from "../service-config.ts";

/** Why there is no retry, and no further hedge. */
export const THROTTLED =
	"too many attempts have failed on this channel: its retry throttle is closed";

/**
 * Stops the retries and hedges of a channel while the server fails too much of
 * what it is sent (gRFC A6, "Throttling Retry Attempts and Hedged RPCs"). It
 * starts full, and counts in thousandths of a token, so that nothing drifts.
 */
export class RetryThrottle {
	#tokens: number;
	#max: number;
	#ratio: number;

	/** `throttling` has been checked, as by `parseServiceConfig`. */
	constructor({ maxTokens, tokenRatio }: Readonly<RetryThrottling>) {
		this.#max = thousandths(maxTokens);
		this.#ratio = thousandths(tokenRatio);
		this.#tokens = this.#max;
	}

	/** What is left. */
	get tokens(): number {
		return this.#tokens / 1000;
	}

	/** A retry or a further hedge may go: there are more than half of the tokens. */
	get allows(): boolean {
		return this.#tokens > this.#max / 2;
	}

	/** It would still allow one after one more failure. */
	get bearsFailure(): boolean {
		return this.#tokens - 1000 > this.#max / 2;
	}

	/** An attempt failed with a retryable or non-fatal code, or the server said not to retry: one token less. */
	failed(): void {
		this.#tokens = Math.max(this.#tokens - 1000, 0);
	}

	/** An attempt went well: `tokenRatio` tokens more. */
	succeeded(): void {
		this.#tokens = Math.min(this.#tokens + this.#ratio, this.#max);
	}

	/** Takes new limits; what there is stays the same fraction of what there can be, as in gRPC's core. */
	reconfigure({ maxTokens, tokenRatio }: Readonly<RetryThrottling>): void {
		const max = thousandths(maxTokens);
		// Rounded up: what is more than half stays more than half.
		this.#tokens = Math.ceil((this.#tokens * max) / this.#max);
		this.#max = max;
		this.#ratio = thousandths(tokenRatio);
	}
}

function thousandths(tokens: number): number {
	return Math.round(tokens * 1000);
}
