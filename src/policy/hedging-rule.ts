import type { Code } from "@connectrpc/connect";
import type { AttemptDecision, AttemptRule } from "./attempt-rule.ts";
import { codeName } from "./code.ts";
import type { CompiledHedgingPolicy } from "./hedging-policy.ts";
import { type RetryThrottle, THROTTLED } from "./retry-throttle.ts";

/** Several attempts at a time, without waiting for the first to fail (gRFC A6, "Hedging Policy"). */
export class HedgingRule implements AttemptRule {
	readonly #policy: CompiledHedgingPolicy;
	readonly #maxAttempts: number;
	readonly #throttle: RetryThrottle;
	/** The first always goes. */
	#made = 1;
	#stopped = false;

	/** `maxAttempts`: the most that the channel allows. */
	constructor(
		policy: CompiledHedgingPolicy,
		throttle: RetryThrottle,
		{ maxAttempts }: { readonly maxAttempts: number },
	) {
		this.#policy = policy;
		this.#maxAttempts = Math.min(policy.maxAttempts, maxAttempts);
		this.#throttle = throttle;
	}

	afterSent(): number | undefined {
		return this.#stopped || this.#made >= this.#maxAttempts
			? undefined
			: this.#policy.hedgingDelayMs;
	}

	/** Counts the attempt as made. */
	allows(): boolean {
		if (this.#stopped || !this.#throttle.allows) return false;
		this.#made += 1;
		return true;
	}

	failed(code: Code, pushback: number | "never" | undefined): AttemptDecision {
		const nonFatal = this.#policy.nonFatalCodes.has(code);
		if (nonFatal || pushback === "never") this.#throttle.failed();
		if (!nonFatal) return { kind: "fatal" };
		const reason = this.#whyNot(pushback);
		if (reason !== undefined) {
			this.#stopped = true;
			return { kind: "denied", reason };
		}
		return {
			kind: "next",
			delayMs: (pushback as number | undefined) ?? 0,
			reason:
				pushback === undefined
					? `one of ${this.#made} hedges failed with ${codeName(code)}`
					: "the server said when to retry",
		};
	}

	#whyNot(pushback: number | "never" | undefined): string | undefined {
		if (this.#stopped || pushback === "never")
			return "the server said not to retry";
		if (this.#made >= this.#maxAttempts) {
			return `all ${this.#maxAttempts} hedges have been sent`;
		}
		return this.#throttle.allows ? undefined : THROTTLED;
	}
}
