import type { Clock } from "../../policy/clock.ts";

interface Rate {
	readonly perSecond: number;
	readonly burst: number;
}

/** Of all clients together. To open and reset a stream costs some 100 µs: this bounds it to a fifth of a core. */
const OF_SERVER: Rate = { perSecond: 2000, burst: 10_000 };

/** Of each connection before it spends what all share: who now and then cancels a call pays for no attacker. */
const OF_CONNECTION: Rate = { perSecond: 10, burst: 50 };

/** How often clients may reset their calls (CVE-2023-44487), however many connections they spread that over. */
export class ResetBudget {
	readonly #clock: Clock;
	readonly #shared: TokenBucket;

	/** `shared`: of all clients together. */
	constructor(clock: Clock, shared: Rate = OF_SERVER) {
		this.#clock = clock;
		this.#shared = new TokenBucket(shared, clock);
	}

	/** A connection's part in it: each call is one reset, and false when that is too many. */
	forConnection(): () => boolean {
		const own = new TokenBucket(OF_CONNECTION, this.#clock);
		return () => own.take() || this.#shared.take();
	}
}

class TokenBucket {
	readonly #rate: Rate;
	readonly #clock: Clock;
	#tokens: number;
	#countedAt: number;

	constructor(rate: Rate, clock: Clock) {
		this.#rate = rate;
		this.#clock = clock;
		this.#tokens = rate.burst;
		this.#countedAt = clock.now();
	}

	take(): boolean {
		const now = this.#clock.now();
		const { perSecond, burst } = this.#rate;
		const since = ((now - this.#countedAt) / 1000) * perSecond;
		this.#tokens = Math.min(this.#tokens + since, burst);
		this.#countedAt = now;
		if (this.#tokens < 1) return false;
		this.#tokens -= 1;
		return true;
	}
}
