import type {
	BalancerHelper,
	ChannelState,
	Pick,
	Picker,
	PickInfo,
	Subchannel,
} from "../balancer.ts";
import { murmur3 } from "../murmur3.ts";
import type { HashRing } from "./hash-ring.ts";

/** An endpoint in the ring. */
export interface RingMember {
	/** The number of its points' owner. */
	readonly owner: number;
	readonly lent: ReturnType<BalancerHelper["createSubchannel"]>;
	readonly pick: Pick;
	/** The text from which the hashes of its points are computed. */
	readonly name: string;
	weight: number;
	/** The hashes computed so far. The first `points` of them are in the ring. */
	readonly hashes: number[];
	points: number;
	/** Its state. "transientFailure" from a failure until it is ready again, through all attempts. */
	state: ChannelState;
	error: Error | undefined;
}

/** The number of endpoints in each state. */
export type Census = Record<ChannelState, number>;

const WAIT: Pick = { kind: "wait" };

/** Finds the endpoint for a call in the ring, by the present states. */
export class RingPicker implements Picker {
	readonly #ring: HashRing;
	readonly #owners: readonly RingMember[];
	readonly #census: Readonly<Census>;
	readonly #header: string | undefined;
	readonly #random: () => number;

	constructor(
		ring: HashRing,
		owners: readonly RingMember[],
		census: Readonly<Census>,
		header: string | undefined,
		random: () => number,
	) {
		this.#ring = ring;
		this.#owners = owners;
		this.#census = census;
		this.#header = header;
		this.#random = random;
	}

	pick(call: PickInfo): Pick {
		const key = this.#keyOf(call);
		const hash =
			key === undefined ? Math.floor(this.#random() * 2 ** 32) : murmur3(key);
		const first = this.#ring.find(hash);
		const { idle, connecting, ready } = this.#census;
		if (idle + connecting + ready === 0) return this.#failure(first);
		return key === undefined
			? this.#nearestReady(first, call.tried)
			: this.#nearest(first, call.tried);
	}

	#keyOf({ hashKey, header }: PickInfo): string | undefined {
		if (hashKey !== undefined && hashKey !== "") return hashKey;
		if (this.#header === undefined) return undefined;
		return header.get(this.#header) || undefined;
	}

	/** Picks the next endpoint that has not failed. The call waits for its connection (gRFC A61, "Ring Hash"). */
	#nearest(first: number, tried: ReadonlySet<Subchannel>): Pick {
		let second: RingMember | undefined;
		for (let i = 0; i < this.#ring.size; i++) {
			const member = this.#member(first + i);
			if (member.state === "transientFailure") continue;
			if (tried.size > 0 && tried.has(member.lent)) {
				second ??= member;
				continue;
			}
			return take(member);
		}
		return second === undefined ? this.#failure(first) : take(second);
	}

	/** Picks the next endpoint that is ready, for a call without a key. Connects to at most one more endpoint (gRFC A76). */
	#nearestReady(first: number, tried: ReadonlySet<Subchannel>): Pick {
		let connects = this.#census.connecting > 0;
		let second: RingMember | undefined;
		for (let i = 0; i < this.#ring.size; i++) {
			// No endpoint is ready.
			if (connects && this.#census.ready === 0) return WAIT;
			const member = this.#member(first + i);
			if (member.state === "ready") {
				if (tried.size === 0 || !tried.has(member.lent)) return member.pick;
				second ??= member;
			} else if (member.state === "idle" && !connects) {
				member.lent.connect();
				connects = true;
			}
		}
		if (second !== undefined) return second.pick;
		return connects ? WAIT : this.#failure(first);
	}

	#member(index: number): RingMember {
		return this.#owners[
			this.#ring.ownerAt(index % this.#ring.size)
		] as RingMember;
	}

	#failure(first: number): Pick {
		const error =
			this.#member(first).error ??
			new Error("no connection has been tried yet");
		return { kind: "fail", error };
	}
}

/** The pick for an endpoint that has not failed. */
function take({ state, lent, pick }: RingMember): Pick {
	if (state === "ready") return pick;
	lent.connect();
	return WAIT;
}
