import type { Endpoint } from "../../discovery/resolver.ts";
import type {
	Balancer,
	BalancerFactory,
	BalancerHelper,
	ChannelState,
} from "../balancer.ts";
import { weightOf } from "../endpoint-key.ts";
import { murmur3 } from "../murmur3.ts";
import { Roster } from "../roster.ts";
import { HashRing } from "./hash-ring.ts";
import { DEFAULT_RING, type RingHashConfig } from "./ring-hash-config.ts";
import { type Census, type RingMember, RingPicker } from "./ring-picker.ts";

/**
 * Gives calls with the same key to the same endpoint, on whatever client, for as
 * long as that endpoint is there (gRFC A42, consistent hashing as libketama has
 * it). The key is the call's `hashKey`, else its metadata named by
 * `requestHashHeader` (gRFC A76), else random.
 *
 * An endpoint has points on a ring, as many as its weight says, and takes the
 * calls whose keys' hashes come before its points. Where the points are depends
 * on the endpoint alone: on its attribute `hash_key` if it has one (gRFC A76),
 * else on its first address; so an endpoint that comes or goes moves only the
 * keys between its points and their neighbours.
 *
 * Connects lazily, when a call needs an endpoint. A call whose endpoint fails to
 * connect goes to the next in the ring; so does one that is tried again.
 *
 * Differs from A42: hashes are MurmurHash3 of 32 bits instead of xxHash of 64, so
 * other gRPC clients send the same key elsewhere; a ring that is larger than
 * 4,096 points need only be asked for; every endpoint has a point, though there
 * be more of them than `maxRingSize`; and as the lightest has a power of two,
 * those that stay lose or gain points only when the whole has doubled or halved,
 * and not, with a few keys each, whenever one comes or goes.
 */
export const ringHash: BalancerFactory = ringHashWith(DEFAULT_RING);

export function ringHashWith(config: RingHashConfig): BalancerFactory {
	return (helper) => new RingHash(helper, config);
}

class RingHash implements Balancer {
	readonly #helper: BalancerHelper;
	readonly #config: RingHashConfig;
	readonly #roster = new Roster<RingMember>({
		join: (endpoint) => this.#member(endpoint),
		stay: (member, endpoint) => {
			member.weight = weightOf(endpoint);
		},
		leave: (member) => this.#dismiss(member),
	});
	/** By their number in the ring; a new list with each ring. */
	#owners: readonly (RingMember | undefined)[] = [];
	/** The same, for the ring to come. */
	readonly #numbered: (RingMember | undefined)[] = [];
	/** No number below is free. */
	#free = 0;
	/** Whose points are not to stay in the ring. */
	readonly #gone = new Set<number>();
	#ring = HashRing.empty;
	readonly #census: Census = {
		idle: 0,
		connecting: 0,
		ready: 0,
		transientFailure: 0,
		shutdown: 0,
	};
	/** No publication, until it is over. */
	#updating = false;
	#closed = false;
	/** Calls off the next slice of an update. */
	#cancelUpdate: () => void = () => {};
	#cancelExit: () => void = () => {};
	/** Where one that is idle was found last: the next is likely to be behind it. */
	#lookedAt = 0;

	constructor(helper: BalancerHelper, config: RingHashConfig) {
		this.#helper = helper;
		this.#config = config;
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#free = 0;
		this.#slice(() => this.#roster.update(endpoints));
	}

	/** Does a part of an update, and puts off the next. Until all is done, calls go by the ring that there is. */
	#slice(work: () => void): void {
		this.#cancelUpdate();
		this.#updating = true;
		work();
		if (this.#roster.isUpdating) {
			this.#cancelUpdate();
			this.#cancelUpdate = this.#helper.after(0, () =>
				this.#slice(() => this.#roster.goOn()),
			);
			this.#updating = this.#closed;
		} else if (!this.#closed) {
			this.#place();
			this.#updating = false;
			this.#publish();
		}
	}

	/** A call that has come makes the connection that it needs; without one, any endpoint will do. */
	exitIdle(): void {
		this.#cancelExit();
		this.#cancelExit = this.#helper.after(0, () => {
			if (this.#state() !== "idle") return;
			const { entries } = this.#roster;
			const nth = Math.floor(this.#helper.random() * entries.length);
			entries[nth]?.lent.connect();
		});
	}

	close(): void {
		this.#cancelExit();
		this.#closed = true;
		this.#slice(() => this.#roster.update([]));
	}

	#member(endpoint: Endpoint): RingMember {
		// Those that leave still have theirs, so no number is given twice in one update.
		while (this.#numbered[this.#free] !== undefined) this.#free += 1;
		const lent = this.#helper.createSubchannel(endpoint, (state, error) =>
			this.#heard(member, state, error),
		);
		const { address, attributes } = endpoint;
		const [first = ""] = typeof address === "string" ? [address] : address;
		const name = attributes?.["hash_key"] || first;
		const member: RingMember = {
			owner: this.#free,
			lent,
			pick: { kind: "subchannel", subchannel: lent },
			name,
			weight: weightOf(endpoint),
			// Nobody has fewer points than one.
			hashes: [murmur3(`${name}_0`)],
			points: 0,
			state: "idle",
			error: undefined,
		};
		this.#numbered[this.#free] = member;
		this.#census.idle += 1;
		return member;
	}

	#dismiss(member: RingMember): void {
		this.#census[member.state] -= 1;
		member.state = "shutdown";
		this.#numbered[member.owner] = undefined;
		this.#gone.add(member.owner);
		member.lent.shutdown();
	}

	/** Puts the points where they belong now, moving none that can stay. */
	#place(): void {
		const perWeight = this.#pointsPerWeight();
		const points: { hash: number; owner: number }[] = [];
		for (const member of this.#roster.entries) {
			const { owner, weight, hashes, name } = member;
			const wanted = Math.max(Math.round(weight * perWeight), 1);
			if (wanted === member.points) continue;
			if (wanted < member.points) {
				this.#gone.add(owner);
				member.points = 0;
			}
			for (; member.points < wanted; member.points++) {
				const index = member.points;
				hashes[index] ??= murmur3(`${name}_${index}`);
				points.push({ hash: hashes[index] as number, owner });
			}
		}
		if (this.#gone.size > 0 || points.length > 0) {
			this.#ring = this.#ring.changed(this.#gone, points);
			this.#gone.clear();
			this.#owners = this.#numbered.slice();
		}
	}

	/** By the lightest endpoint, which has the least power of two that makes the ring large enough. */
	#pointsPerWeight(): number {
		let sum = 0;
		let lightest = Infinity;
		for (const { weight } of this.#roster.entries) {
			sum += weight;
			lightest = Math.min(lightest, weight);
		}
		const { minRingSize, maxRingSize } = this.#config;
		const least = (minRingSize * lightest) / sum;
		const most = (maxRingSize * lightest) / sum;
		const points = 2 ** Math.ceil(Math.log2(least));
		return (
			(points > most ? 2 ** Math.floor(Math.log2(most)) : points) / lightest
		);
	}

	#heard(
		member: RingMember,
		state: ChannelState,
		error: Error | undefined,
	): void {
		const before = member.state;
		if (before === "shutdown" || state === "shutdown") return;
		if (error !== undefined) member.error = error;
		const failed = before === "transientFailure" && state !== "ready";
		const now = failed ? before : state;
		this.#census[before] -= 1;
		this.#census[now] += 1;
		member.state = now;
		// One that has failed is tried again as soon as its backoff is over (A61).
		if (failed && state === "idle") member.lent.connect();
		else if (!this.#updating) this.#publish();
	}

	/** A42, "Aggregated Connectivity State". */
	#state(): ChannelState {
		const { ready, transientFailure, connecting, idle } = this.#census;
		if (ready > 0) return "ready";
		if (transientFailure >= 2) return "transientFailure";
		if (connecting > 0) return "connecting";
		if (transientFailure === 1 && this.#roster.entries.length > 1)
			return "connecting";
		return idle > 0 ? "idle" : "transientFailure";
	}

	#publish(): void {
		// The first ring is on its way.
		if (this.#ring.size === 0) return;
		const state = this.#state();
		const picker = new RingPicker(
			this.#ring,
			this.#owners as readonly RingMember[],
			this.#census,
			this.#config.requestHashHeader,
			this.#helper.random,
		);
		this.#helper.publish(state, picker);
		if (state === "connecting" || state === "transientFailure") {
			this.#tryOneMore();
		}
	}

	/** While none is ready there is always one that connects, calls or not (A61, "Ring Hash"). */
	#tryOneMore(): void {
		if (this.#census.connecting > 0 || this.#census.idle === 0) return;
		const { entries } = this.#roster;
		for (let looks = entries.length; looks > 0; looks--) {
			this.#lookedAt = (this.#lookedAt + 1) % entries.length;
			const member = entries[this.#lookedAt] as RingMember;
			if (member.state !== "idle") continue;
			member.lent.connect();
			return;
		}
	}
}
