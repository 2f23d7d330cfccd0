import type { RetryThrottling } from "../service-config.ts";

/** The reason given when the throttle denies a retry or a further hedging attempt. */
export const THROTTLED =
	"too many attempts have failed on this channel: its retry throttle is closed";

/**
 * Stops the retries and hedging attempts of a channel while too many attempts
 * fail (gRFC A6, "Throttling Retry Attempts and Hedged RPCs"). It starts with
 * all its tokens. It counts in thousandths of a token, so that rounding errors
 * do not add up.
 */
export class RetryThrottle {
	#tokens: number;
	#max: number;
	#ratio: number;

	/** The argument must have been checked, as `parseServiceConfig` does. */
	constructor({ maxTokens, tokenRatio }: Readonly<RetryThrottling>) {
		this.#max = thousandths(maxTokens);
		this.#ratio = thousandths(tokenRatio);
		this.#tokens = this.#max;
	}

	/** The tokens that are left. */
	get tokens(): number {
		return this.#tokens / 1000;
	}

	/** Whether a retry or a further hedging attempt may be made: more than half of the tokens are left. */
	get allows(): boolean {
		return this.#tokens > this.#max / 2;
	}

	/** Whether the throttle would still allow an attempt after one more failure. */
	get allowsAfterFailure(): boolean {
		return this.#tokens - 1000 > this.#max / 2;
	}

	/** Takes one token: an attempt failed with a retryable or non-fatal code, or the server asked not to retry. */
	failed(): void {
		this.#tokens = Math.max(this.#tokens - 1000, 0);
	}

	/** Adds `tokenRatio` tokens: an attempt succeeded. */
	succeeded(): void {
		this.#tokens = Math.min(this.#tokens + this.#ratio, this.#max);
	}

	/** Takes new limits. The tokens that are left stay the same fraction of `maxTokens`, as in gRPC's C core. */
	reconfigure({ maxTokens, tokenRatio }: Readonly<RetryThrottling>): void {
		const max = thousandths(maxTokens);
		// Rounded up, so that more than half of the tokens stays more than half.
		this.#tokens = Math.ceil((this.#tokens * max) / this.#max);
		this.#max = max;
		this.#ratio = thousandths(tokenRatio);
	}
}

function thousandths(tokens: number): number {
	return Math.round(tokens * 1000);
}
