import { Code } from "@connectrpc/connect";
import type { Pick, Subchannel } from "./balancer.ts";
import type { Member } from "./every-endpoint.ts";
import { DECAY_MS, PeakEwma } from "./peak-ewma.ts";
import type { PickClock } from "./pick-clock.ts";
import type { TypicalLatency } from "./typical-latency.ts";

type Outcome = Parameters<
	NonNullable<Extract<Pick, { kind: "subchannel" }>["ended"]>
>[0];

/** What servers end calls with when something is wrong with them, not with the call. */
const SICK: ReadonlySet<Code> = new Set([
	Code.Unavailable,
	Code.DeadlineExceeded,
	Code.Internal,
	Code.Unknown,
	Code.ResourceExhausted,
]);

/** No endpoint looks more than so many times as costly as it is for its failures: it would never be tried again. */
const MAX_PENALTY = 100;

/** What is less counts as this, and so does what is not known of any endpoint: then calls in flight decide. */
const MIN_LATENCY_MS = 0.001;

/** What a call to one endpoint would cost, by what the calls before it have met. */
export class EndpointLoad implements Member {
	readonly subchannel: Subchannel;
	weight: number;
	/** Their methods close over the endpoint, so that a call makes no object of its own. */
	readonly unary: Pick;
	readonly stream: Pick;
	readonly #clock: PickClock;
	readonly #typical: TypicalLatency;
	readonly #latency = new PeakEwma();
	#inFlight = 0;
	/** Unary calls in flight. */
	#awaited = 0;
	/** When the first of these began, or when one ended since: the oldest of them has waited at least from then on. */
	#silentSince = 0;
	#penalty = 1;
	#penalizedAt = -Infinity;

	constructor(
		subchannel: Subchannel,
		weight: number,
		clock: PickClock,
		typical: TypicalLatency,
	) {
		this.subchannel = subchannel;
		this.weight = weight;
		this.#clock = clock;
		this.#typical = typical;
		this.unary = {
			kind: "subchannel",
			subchannel,
			started: () => {
				this.#inFlight += 1;
				if (this.#awaited++ === 0) this.#silentSince = clock.latest;
			},
			ended: (outcome) => {
				this.#awaited -= 1;
				this.#silentSince = clock.read();
				this.#ended(outcome, true);
			},
		};
		this.stream = {
			kind: "subchannel",
			subchannel,
			started: () => {
				this.#inFlight += 1;
			},
			ended: (outcome) => {
				clock.read();
				this.#ended(outcome, false);
			},
		};
	}

	/** To be compared with that of other endpoints. */
	cost(now: number, meanWeight: number): number {
		const held = this.#latency.known ? this.#latency : this.#typical;
		const waitedMs = this.#awaited > 0 ? now - this.#silentSince : 0;
		const latencyMs = Math.max(held.at(now) || 0, waitedMs, MIN_LATENCY_MS);
		const inFlight = (this.#inFlight * meanWeight) / this.weight;
		return latencyMs * this.#penaltyAt(now) * (inFlight + 1);
	}

	leave(): void {
		this.#typical.delete(this.#latency);
	}

	#ended({ code, latencyMs, sent }: Outcome, unary: boolean): void {
		this.#inFlight -= 1;
		if (!sent) return;
		const now = this.#clock.latest;
		const sick = code !== undefined && SICK.has(code);
		if (sick) this.#penalize(now, now - latencyMs);
		// How long a stream lives is up to those who talk.
		if (!unary) return;
		if (sick || code === Code.Canceled) this.#tookLonger(latencyMs, now);
		else this.#took(latencyMs, now);
	}

	#took(ms: number, now: number): void {
		if (!this.#latency.known) this.#typical.add(this.#latency);
		this.#latency.sample(ms, now);
	}

	/** Without an answer, all that is known is that it would have taken longer. */
	#tookLonger(ms: number, now: number): void {
		const held = this.#latency.known ? this.#latency : this.#typical;
		if (ms > held.at(now)) this.#took(ms, now);
	}

	#penalize(now: number, startedAt: number): void {
		if (startedAt <= this.#penalizedAt) return;
		this.#penalty = Math.min(this.#penaltyAt(now) * 2, MAX_PENALTY);
		this.#penalizedAt = now;
	}

	#penaltyAt(now: number): number {
		return this.#penalty === 1
			? 1
			: 1 +
					(this.#penalty - 1) * Math.exp((this.#penalizedAt - now) / DECAY_MS);
	}
}
