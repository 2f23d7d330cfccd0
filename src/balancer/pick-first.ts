import type { Endpoint } from "../discovery/resolver.ts";
import type {
	Balancer,
	BalancerFactory,
	BalancerHelper,
	ChannelState,
} from "./balancer.ts";
import { byKey } from "./endpoint-key.ts";
import { failPicker, subchannelPicker, waitPicker } from "./fixed-picker.ts";

/**
 * Tries the endpoints in their order, and gives every call to the first that
 * connects, for as long as it stays connected (grpc/load-balancing, "pick_first").
 */
export const pickFirst: BalancerFactory = (helper) => new PickFirst(helper);

type Candidate = ReturnType<BalancerHelper["createSubchannel"]>;

class PickFirst implements Balancer {
	readonly #helper: BalancerHelper;
	/** In the order of preference. */
	#endpoints = new Map<string, Endpoint>();
	#candidates = new Map<string, Candidate>();
	#chosen: string | undefined;
	#lastError: Error | undefined;
	#failing = false;

	constructor(helper: BalancerHelper) {
		this.#helper = helper;
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#endpoints = byKey(endpoints);
		if (this.#chosen !== undefined && this.#endpoints.has(this.#chosen)) return;
		this.#chosen = undefined;
		this.#dropAllBut(undefined);
		this.#connectTo(0);
	}

	exitIdle(): void {
		if (this.#candidates.size === 0) this.#connectTo(0);
		else if (this.#chosen !== undefined) {
			this.#candidates.get(this.#chosen)?.connect();
		}
	}

	close(): void {
		this.#dropAllBut(undefined);
	}

	/** Tries the endpoint at `index`; behind the last, the channel has failed. */
	#connectTo(index: number): void {
		const entry = [...this.#endpoints][index];
		if (entry === undefined) {
			this.#failing = true;
			this.#publish("transientFailure");
			return;
		}
		const [key, endpoint] = entry;
		const known = this.#candidates.get(key);
		if (known !== undefined) {
			known.connect();
			return;
		}
		const candidate: Candidate = this.#helper.createSubchannel(
			endpoint,
			(state, error) => {
				if (this.#candidates.get(key) !== candidate) return;
				this.#heard(key, index, state, error);
			},
		);
		this.#candidates.set(key, candidate);
		this.#publish("connecting");
		candidate.connect();
	}

	#heard(
		key: string,
		index: number,
		state: ChannelState,
		error: Error | undefined,
	): void {
		if (error !== undefined) this.#lastError = error;
		if (state === "ready") {
			this.#failing = false;
			this.#chosen = key;
			this.#dropAllBut(key);
			this.#publish("ready");
		} else if (state === "idle" && this.#chosen === key) {
			this.#chosen = undefined;
			this.#dropAllBut(undefined);
			this.#helper.publish("idle", waitPicker);
		} else if (state === "idle" && this.#failing) {
			// Its backoff is over: try it again.
			this.#candidates.get(key)?.connect();
		} else if (state === "transientFailure" && !this.#failing) {
			this.#connectTo(index + 1);
		} else if (state === "transientFailure") {
			this.#publish("transientFailure");
		}
	}

	#publish(state: "connecting" | "ready" | "transientFailure"): void {
		const chosen =
			this.#chosen === undefined
				? undefined
				: this.#candidates.get(this.#chosen);
		if (state === "ready" && chosen !== undefined) {
			this.#helper.publish("ready", subchannelPicker(chosen));
		} else if (this.#failing) {
			const error =
				this.#lastError ?? new Error("no endpoint could be reached");
			this.#helper.publish("transientFailure", failPicker(error));
		} else {
			this.#helper.publish("connecting", waitPicker);
		}
	}

	#dropAllBut(kept: string | undefined): void {
		for (const [key, candidate] of this.#candidates) {
			if (key === kept) continue;
			this.#candidates.delete(key);
			candidate.shutdown();
		}
	}
}
