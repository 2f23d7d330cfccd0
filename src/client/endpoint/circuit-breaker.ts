import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { formatDuration } from "../../checks/duration.ts";
import type { Clock } from "../../policy/clock.ts";
import { codeName } from "../../policy/code.ts";
import type { CompiledCircuitBreaker } from "../options/circuit-breaker-options.ts";
import { RollingCounts } from "./rolling-counts.ts";

/** What a call holds that a breaker has let through; one of the two functions is called, once. */
export interface Permit {
	/** The call ended; `code` is undefined when it went well. */
	ended(code: Code | undefined): void;
	/** The call was never sent. */
	unused(): void;
}

/** Hears that a breaker has opened, or closed again. */
export type BreakerListener<Endpoint> = (
	endpoint: Endpoint,
	state: "breakerOpen" | "breakerClosed",
	reason: string,
) => void;

type Change = (state: "breakerOpen" | "breakerClosed", reason: string) => void;

/**
 * The circuit breakers of a channel: one for each method at each endpoint, made
 * with its first call. They go with the endpoint object, and have no timers.
 */
export class CircuitBreakers<Endpoint extends object> {
	readonly #config: CompiledCircuitBreaker;
	readonly #clock: Clock;
	readonly #listener: BreakerListener<Endpoint>;
	readonly #breakers = new WeakMap<Endpoint, Map<DescMethod, Breaker>>();

	constructor(
		config: CompiledCircuitBreaker,
		clock: Clock,
		listener: BreakerListener<Endpoint>,
	) {
		this.#config = config;
		this.#clock = clock;
		this.#listener = listener;
	}

	/** Lets a call through, or does not: then `refusal` says why. */
	admit(method: DescMethod, endpoint: Endpoint): Permit | undefined {
		return this.#breaker(method, endpoint).admit();
	}

	/** The error of a call that was not let through: UNAVAILABLE. `address` is the endpoint's, for the message. */
	refusal(
		method: DescMethod,
		endpoint: Endpoint,
		address: string,
	): ConnectError {
		const error = new ConnectError(
			`the circuit breaker of ${nameOf(method)} at ${address} ${this.#breaker(method, endpoint).state()}`,
			Code.Unavailable,
		);
		refusals.add(error);
		return error;
	}

	/** The methods whose breaker is open there, or half open: "package.Service/Method". */
	openAt(endpoint: Endpoint): string[] {
		const breakers = this.#breakers.get(endpoint) ?? new Map<never, Breaker>();
		return [...breakers]
			.filter(([, breaker]) => !breaker.isClosed)
			.map(([method]) => nameOf(method));
	}

	#breaker(method: DescMethod, endpoint: Endpoint): Breaker {
		let ofEndpoint = this.#breakers.get(endpoint);
		if (ofEndpoint === undefined) {
			ofEndpoint = new Map();
			this.#breakers.set(endpoint, ofEndpoint);
		}
		let breaker = ofEndpoint.get(method);
		if (breaker === undefined) {
			breaker = new Breaker(this.#config, this.#clock, (state, reason) =>
				this.#listener(endpoint, state, `${nameOf(method)}: ${reason}`),
			);
			ofEndpoint.set(method, breaker);
		}
		return breaker;
	}
}

const refusals = new WeakSet<object>();

/** Whether an error is that of a call that a breaker did not let through. */
export function isBreakerRefusal(error: unknown): error is ConnectError {
	return typeof error === "object" && error !== null && refusals.has(error);
}

interface Closed {
	readonly kind: "closed";
	readonly counts: RollingCounts;
	/** All calls share it. */
	readonly permit: Permit;
}

interface Open {
	readonly kind: "open";
	readonly until: number;
	readonly why: string;
}

interface HalfOpen {
	readonly kind: "halfOpen";
	successes: number;
	/** The last one that was let through, until it ends. */
	probe: Permit | undefined;
	/** When the next one may go, even if that one has not ended. */
	probeUntil: number;
}

/** A permit belongs to the state that gave it: what calls of a state gone by have to tell comes too late, and changes nothing. */
class Breaker {
	readonly #config: CompiledCircuitBreaker;
	readonly #clock: Clock;
	readonly #change: Change;
	#state: Closed | Open | HalfOpen;

	constructor(config: CompiledCircuitBreaker, clock: Clock, change: Change) {
		this.#config = config;
		this.#clock = clock;
		this.#change = change;
		this.#state = this.#closed();
	}

	admit(): Permit | undefined {
		const state = this.#state;
		if (state.kind === "closed") return state.permit;
		const now = this.#clock.now();
		if (state.kind === "halfOpen") {
			// A probe that takes as long as a breaker stays open, as a stream may, does not keep the next one waiting.
			return state.probe === undefined || now >= state.probeUntil
				? this.#probe(state, now)
				: undefined;
		}
		if (now < state.until) return undefined;
		const halfOpen: HalfOpen = {
			kind: "halfOpen",
			successes: 0,
			probe: undefined,
			probeUntil: now,
		};
		this.#state = halfOpen;
		return this.#probe(halfOpen, now);
	}

	get isClosed(): boolean {
		return this.#state.kind === "closed";
	}

	/** As the end of a sentence about the breaker. */
	state(): string {
		const state = this.#state;
		if (state.kind === "closed") return "is closed";
		if (state.kind === "halfOpen") return "is half open: a probe is under way";
		const left = Math.max(state.until - this.#clock.now(), 0);
		return `is open: ${state.why}; it lets a probe through in ${formatDuration(left)}`;
	}

	#closed(): Closed {
		const counts = new RollingCounts(this.#config.windowMs, this.#clock.now());
		const closed: Closed = {
			kind: "closed",
			counts,
			permit: {
				ended: (code) => {
					if (this.#state === closed) this.#count(counts, code);
				},
				unused: () => {},
			},
		};
		return closed;
	}

	#count(counts: RollingCounts, code: Code | undefined): void {
		if (code === Code.Canceled) return;
		counts.add(this.#isFailure(code), this.#clock.now());
		const { minimumCalls, failureRatio, windowMs } = this.#config;
		const { calls, failures } = counts;
		if (calls < minimumCalls || failures / calls < failureRatio) return;
		const last =
			code === undefined ? "" : `, the last with [${codeName(code)}]`;
		this.#open(
			`${failures} of ${calls} calls failed in ${formatDuration(windowMs)}${last}`,
		);
	}

	#isFailure(code: Code | undefined): boolean {
		return code !== undefined && this.#config.failureCodes.has(code);
	}

	#open(why: string): void {
		const until = this.#clock.now() + this.#config.openForMs;
		this.#state = { kind: "open", until, why };
		this.#change("breakerOpen", why);
	}

	#probe(state: HalfOpen, now: number): Permit {
		const leave = (): void => {
			if (state.probe === probe) state.probe = undefined;
		};
		const probe: Permit = {
			ended: (code) => {
				leave();
				if (this.#state === state) this.#judge(state, code);
			},
			unused: leave,
		};
		state.probe = probe;
		state.probeUntil = now + this.#config.openForMs;
		return probe;
	}

	#judge(state: HalfOpen, code: Code | undefined): void {
		if (code === Code.Canceled) return;
		if (this.#isFailure(code)) {
			this.#open(`a probe failed with [${codeName(code as Code)}]`);
			return;
		}
		state.successes += 1;
		const { successesToClose } = this.#config;
		if (state.successes < successesToClose) return;
		this.#state = this.#closed();
		this.#change(
			"breakerClosed",
			`${successesToClose} ${successesToClose === 1 ? "probe" : "probes"} went well`,
		);
	}
}

function nameOf(method: DescMethod): string {
	return `${method.parent.typeName}/${method.name}`;
}
