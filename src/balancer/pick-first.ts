import { boolean } from "../checks/option-table.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import { JsonFields } from "../policy/proto-json.ts";
import type {
	Balancer,
	BalancerFactory,
	BalancerHelper,
	ChannelState,
} from "./balancer.ts";
import { byKey, weightOf } from "./endpoint-key.ts";
import { failPicker, subchannelPicker, waitPicker } from "./fixed-picker.ts";

export interface PickFirstConfig {
	/** Whether each new list of endpoints is put in random order first, the heavier ones likely in front (gRFC A62, A113). */
	readonly shuffleAddressList: boolean;
}

/** Of one endpoint before the next, in milliseconds (gRFC A61, RFC 8305 section 5). */
const HEAD_START_MS = 250;

/**
 * Tries the endpoints in their order, and gives every call to the first that
 * connects, for as long as it stays connected (grpc/load-balancing,
 * "pick_first"). While one endpoint has not answered for 250 ms, the next is
 * tried beside it (gRFC A61). When all have failed, calls fail until one
 * connects, and all are tried again as their backoffs end (gRFC A62).
 */
export const pickFirst: BalancerFactory = pickFirstWith({
	shuffleAddressList: false,
});

export function pickFirstWith(config: PickFirstConfig): BalancerFactory {
	return (helper) => new PickFirst(helper, config);
}

/** @throws OptionError that names the bad field */
export function readPickFirstConfig(
	config: unknown,
	where: string,
): PickFirstConfig {
	const fields = new JsonFields(config, where);
	return {
		shuffleAddressList: fields.optional("shuffleAddressList", boolean) ?? false,
	};
}

type Candidate = ReturnType<BalancerHelper["createSubchannel"]>;

class PickFirst implements Balancer {
	readonly #helper: BalancerHelper;
	readonly #config: PickFirstConfig;
	/** In the order of preference. */
	#endpoints: ReadonlyMap<string, Endpoint> = new Map();
	readonly #candidates = new Map<string, Candidate>();
	/** Those that this round has not come to yet. */
	#rest: Iterator<[string, Endpoint]> = new Map<string, Endpoint>().entries();
	/** How many it has come to. */
	#begun = 0;
	/** Those that have failed in this round: it is over when all have. */
	readonly #failed = new Set<string>();
	/** The one that this round has come to last. */
	#latest: string | undefined;
	#cancelNext: () => void = () => {};
	#chosen: string | undefined;
	/** The chosen one was lost, and no call has come since. */
	#idle = false;
	/** gRPC: once in failure, a channel reports it until a connection is ready. */
	#failing = false;
	#lastError = new Error("no connection has been tried yet");

	constructor(helper: BalancerHelper, config: PickFirstConfig) {
		this.#helper = helper;
		this.#config = config;
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#endpoints = byKey(
			this.#config.shuffleAddressList
				? shuffled(endpoints, this.#helper.random)
				: endpoints,
		);
		if (this.#idle) return;
		if (this.#chosen !== undefined && this.#endpoints.has(this.#chosen)) return;
		this.#drop((key) => !this.#endpoints.has(key));
		this.#beginRound();
	}

	exitIdle(): void {
		if (!this.#idle) return;
		this.#idle = false;
		this.#beginRound();
	}

	close(): void {
		this.#cancelNext();
		this.#drop(() => true);
	}

	#beginRound(): void {
		this.#chosen = undefined;
		this.#rest = this.#endpoints.entries();
		this.#begun = 0;
		this.#failed.clear();
		this.#publish();
		this.#next();
	}

	/** Tries the next endpoint, beside those that are being tried; one in backoff has had its turn. */
	#next(): void {
		this.#cancelNext();
		for (;;) {
			const next = this.#rest.next();
			if (next.done === true) break;
			const [key, endpoint] = next.value;
			this.#begun += 1;
			const candidate =
				this.#candidates.get(key) ?? this.#candidate(key, endpoint);
			if (candidate.state === "transientFailure") {
				this.#failed.add(key);
				continue;
			}
			this.#failed.delete(key);
			this.#latest = key;
			if (this.#begun < this.#endpoints.size) {
				this.#cancelNext = this.#helper.after(HEAD_START_MS, () =>
					this.#next(),
				);
			}
			candidate.connect();
			return;
		}
		this.#endRound();
	}

	/** When every endpoint has failed, each is tried as its backoff ends. */
	#endRound(): void {
		if (this.#failed.size < this.#endpoints.size) return;
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
			this.#fail(key);
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
		this.#cancelNext();
		this.#chosen = chosen;
		this.#failing = false;
		this.#drop((key) => key !== chosen);
		const subchannel = this.#candidates.get(chosen) as Candidate;
		this.#helper.publish("ready", subchannelPicker(subchannel));
	}

	#fail(key: string): void {
		// Taken out while it is connected: any other that connects is better, and so is this one if it is put back first.
		if (this.#chosen === key) {
			this.#beginRound();
			return;
		}
		this.#failed.add(key);
		if (this.#failing) this.#publish();
		if (this.#latest === key) this.#next();
		else this.#endRound();
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

/** By weight (gRFC A113: P. Efraimidis and P. Spirakis, "Weighted random sampling with a reservoir", 2006). */
function shuffled(
	endpoints: readonly Endpoint[],
	random: () => number,
): Endpoint[] {
	return endpoints
		.map((endpoint) => ({
			endpoint,
			place: Math.log(1 - random()) / weightOf(endpoint),
		}))
		.sort((a, b) => b.place - a.place)
		.map(({ endpoint }) => endpoint);
}
