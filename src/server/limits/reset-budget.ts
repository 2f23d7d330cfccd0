import type { Clock } from "../../policy/clock.ts";

interface Rate {
	readonly perSecond: number;
	readonly burst: number;
}

/** The rate for all clients together. To open and reset a stream costs some 100 µs: this limits it to a fifth of a core. */
const OF_SERVER: Rate = { perSecond: 2000, burst: 10_000 };

/** What each connection may use before it uses the shared budget, so that an attacker takes nothing from a client that cancels a call now and then. */
const OF_CONNECTION: Rate = { perSecond: 10, burst: 50 };

/** Limits how often clients may reset their calls, over any number of connections (CVE-2023-44487, "rapid reset"). */
export class ResetBudget {
	readonly #clock: Clock;
	readonly #shared: TokenBucket;

	/** `shared`: the rate for all clients together. */
	constructor(clock: Clock, shared: Rate = OF_SERVER) {
		this.#clock = clock;
		this.#shared = new TokenBucket(shared, clock);
	}

	/** Returns a function for one connection: it counts one reset, and returns false if that is one too many. */
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
