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

/** An endpoint of the ring. */
export interface RingMember {
	/** Its number in the ring. */
	readonly owner: number;
	readonly lent: ReturnType<BalancerHelper["createSubchannel"]>;
	readonly pick: Pick;
	/** What its points are hashed from. */
	readonly name: string;
	weight: number;
	/** Hashes of the points that it has had so far; the ring has the first `points` of them. */
	readonly hashes: number[];
	points: number;
	/** "transientFailure" from a failure until it is ready, through all attempts. */
	state: ChannelState;
	error: Error | undefined;
}

/** How many endpoints are in which state. */
export type Census = Record<ChannelState, number>;

const WAIT: Pick = { kind: "wait" };

/** Finds the endpoint of a call in the ring; the states are those of the moment. */
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

	/** The nearest endpoint that has not failed; the call waits for its connection (A61, "Ring Hash"). */
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

	/** The nearest endpoint that is ready, as any will do; at most one more is connected to (A76). */
	#nearestReady(first: number, tried: ReadonlySet<Subchannel>): Pick {
		let connects = this.#census.connecting > 0;
		let second: RingMember | undefined;
		for (let i = 0; i < this.#ring.size; i++) {
			// There is none to be found.
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

/** Of one that has not failed. */
function take({ state, lent, pick }: RingMember): Pick {
	if (state === "ready") return pick;
	lent.connect();
	return WAIT;
}
