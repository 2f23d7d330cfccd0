import type { Code } from "@connectrpc/connect";
import { codeName } from "../code.ts";
import type { AttemptDecision, AttemptRule } from "./attempt-rule.ts";
import type { CompiledRetryPolicy } from "./retry-policy.ts";
import { RetrySchedule } from "./retry-schedule.ts";
import { type RetryThrottle, THROTTLED } from "./retry-throttle.ts";

/** Makes one attempt after another while they fail with a retryable code (gRFC A6, "Retry Policy"). */
export class RetryRule implements AttemptRule {
	readonly #policy: CompiledRetryPolicy;
	readonly #maxAttempts: number;
	readonly #throttle: RetryThrottle;
	readonly #schedule: RetrySchedule;
	#failures = 0;

	/**
	 * @param channel.maxAttempts the channel's limit
	 * @param channel.random returns a number that is at least 0 and less than 1
	 */
	constructor(
		policy: CompiledRetryPolicy,
		throttle: RetryThrottle,
		channel: { readonly maxAttempts: number; readonly random: () => number },
	) {
		this.#policy = policy;
		this.#maxAttempts = Math.min(policy.maxAttempts, channel.maxAttempts);
		this.#throttle = throttle;
		this.#schedule = new RetrySchedule(policy, channel.random);
	}

	/** Never refuses: `failed` has asked the throttle before the backoff. */
	refusal(): undefined {}

	mayFollow(code: Code): boolean {
		return (
			this.#policy.retryableCodes.has(code) &&
			this.#failures + 1 < this.#maxAttempts &&
			this.#throttle.allowsAfterFailure
		);
	}

	failed(code: Code, pushback: number | "never" | undefined): AttemptDecision {
		this.#failures += 1;
		const retryable = this.#policy.retryableCodes.has(code);
		if (retryable || pushback === "never") this.#throttle.failed();
		if (!retryable) return { kind: "fatal" };
		const reason = this.#whyNot(pushback);
		if (reason !== undefined) return { kind: "denied", reason };
		return {
			kind: "next",
			delayMs: this.#schedule.next(pushback as number | undefined),
			reason:
				pushback === undefined
					? `attempt ${this.#failures} of ${this.#maxAttempts} failed with ${codeName(code)}`
					: "the server said when to retry",
		};
	}

	#whyNot(pushback: number | "never" | undefined): string | undefined {
		if (pushback === "never") return "the server said not to retry";
		if (this.#failures >= this.#maxAttempts) {
			return `all ${this.#maxAttempts} attempts have failed`;
		}
		return this.#throttle.allows ? undefined : THROTTLED;
	}
}
