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
	#endpoints: ReadonlyMap<string, Endpoint> = new Map();
	readonly #candidates = new Map<string, Candidate>();
	/** Those that have failed since the last connection: a round is over when all have. */
	readonly #failed = new Set<string>();
	#chosen: string | undefined;
	/** The chosen one was lost, and no call has come since. */
	#idle = false;
	/** gRPC: once in failure, a channel reports it until a connection is ready. */
	#failing = false;
	#lastError = new Error("no connection has been tried yet");

	constructor(helper: BalancerHelper) {
		this.#helper = helper;
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#endpoints = byKey(endpoints);
		if (this.#idle) return;
		if (this.#chosen !== undefined && this.#endpoints.has(this.#chosen)) return;
		this.#chosen = undefined;
		this.#drop((key) => !this.#endpoints.has(key));
		this.#connect();
	}

	exitIdle(): void {
		if (!this.#idle) return;
		this.#idle = false;
		this.#connect();
	}

	close(): void {
		this.#drop(() => true);
	}

	/** Connects to the first endpoint that has not failed; when all have, to each as its backoff ends. */
	#connect(): void {
		for (const [key, endpoint] of this.#endpoints) {
			if (this.#failed.has(key)) continue;
			const candidate =
				this.#candidates.get(key) ?? this.#candidate(key, endpoint);
			this.#publish();
			candidate.connect();
			return;
		}
		this.#failing = true;
		this.#publish();
		for (const candidate of this.#candidates.values()) candidate.connect();
	}

	#candidate(key: string, endpoint: Endpoint): Candidate {
		const candidate: Candidate = this.#helper.createSubchannel(
			endpoint,
			(state, error) => {
				if (this.#candidates.get(key) === candidate) {
					this.#heard(key, state, error);
				}
			},
		);
		this.#candidates.set(key, candidate);
		return candidate;
	}

	#heard(key: string, state: ChannelState, error: Error | undefined): void {
		if (error !== undefined) this.#lastError = error;
		if (state === "ready") {
			this.#choose(key);
		} else if (state === "transientFailure") {
			this.#failed.add(key);
			this.#connect();
		} else if (state === "idle" && this.#chosen === key) {
			this.#chosen = undefined;
			this.#drop(() => true);
			this.#idle = true;
			this.#helper.publish("idle", waitPicker);
		} else if (state === "idle" && this.#failing) {
			// Its backoff is over.
			this.#candidates.get(key)?.connect();
		}
	}

	#choose(chosen: string): void {
		this.#chosen = chosen;
		this.#failing = false;
		this.#drop((key) => key !== chosen);
		this.#failed.clear();
		const subchannel = this.#candidates.get(chosen) as Candidate;
		this.#helper.publish("ready", subchannelPicker(subchannel));
	}

	/** While there is no connection. */
	#publish(): void {
		if (this.#failing) {
			const picker = failPicker(this.#lastError);
			this.#helper.publish("transientFailure", picker);
		} else {
			this.#helper.publish("connecting", waitPicker);
		}
	}

	#drop(unwanted: (key: string) => boolean): void {
		for (const [key, candidate] of this.#candidates) {
			if (!unwanted(key)) continue;
			this.#candidates.delete(key);
			this.#failed.delete(key);
			candidate.shutdown();
		}
	}
}
