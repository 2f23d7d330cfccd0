import type { Code } from "@connectrpc/connect";
import { codeName } from "../code.ts";
import type { AttemptDecision, AttemptRule } from "./attempt-rule.ts";
import type { CompiledHedgingPolicy } from "./hedging-policy.ts";
import { type RetryThrottle, THROTTLED } from "./retry-throttle.ts";

/** Sends several attempts of a call without waiting for the first to fail (gRFC A6, "Hedging Policy"). */
export class HedgingRule implements AttemptRule {
	readonly #policy: CompiledHedgingPolicy;
	readonly #maxAttempts: number;
	readonly #throttle: RetryThrottle;
	/** Attempts made. The first is always made. */
	#made = 1;
	/** Why no further attempts are made; undefined while they may be. */
	#stopped: string | undefined;

	/** @param options.maxAttempts the channel's limit */
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
		return this.#stopped !== undefined || this.#made >= this.#maxAttempts
			? undefined
			: this.#policy.hedgingDelayMs;
	}

	refusal(): string | undefined {
		if (!this.#throttle.allows) this.#stopped ??= THROTTLED;
		if (this.#stopped === undefined) this.#made += 1;
		return this.#stopped;
	}

	mayFollow(code: Code): boolean {
		return (
			this.#policy.nonFatalCodes.has(code) &&
			!this.#stopped &&
			this.#made < this.#maxAttempts &&
			this.#throttle.allowsAfterFailure
		);
	}

	failed(code: Code, pushback: number | "never" | undefined): AttemptDecision {
		const nonFatal = this.#policy.nonFatalCodes.has(code);
		if (nonFatal || pushback === "never") this.#throttle.failed();
		if (!nonFatal) return { kind: "fatal" };
		this.#stopped ??= this.#whyNot(pushback);
		if (this.#stopped !== undefined) {
			return { kind: "denied", reason: this.#stopped };
		}
		return {
			kind: "next",
			delayMs: (pushback as number | undefined) ?? 0,
			reason:
				pushback === undefined
					? `${this.#made} of ${this.#maxAttempts} attempts are sent, and one failed with ${codeName(code)}`
					: "the server said when to retry",
		};
	}

	#whyNot(pushback: number | "never" | undefined): string | undefined {
		if (pushback === "never") return "the server said not to retry";
		if (this.#made >= this.#maxAttempts) {
			return `all ${this.#maxAttempts} attempts are sent`;
		}
		return this.#throttle.allows ? undefined : THROTTLED;
	}
}
