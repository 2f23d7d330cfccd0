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
 * A balancer that sends calls with the same key to the same endpoint, from every client, as long as the endpoint is there (gRFC
 * A42: consistent hashing like libketama). The key is the `hashKey` of the call, or else the value of the header
 * `requestHashHeader` (gRFC A76), or else random.
 *
 * An endpoint has points on a ring, as many as its weight says. It takes the calls whose hashed keys lie before its points. The
 * places of the points depend on the endpoint alone: on its attribute `hash_key` (gRFC A76), or else on its first address. So an
 * endpoint that comes or goes moves only the keys between its points and their neighbours.
 *
 * It connects lazily, when a call needs an endpoint. A call whose endpoint cannot be reached goes to the next one in the ring,
 * and so does a retried call.
 *
 * It differs from A42 in these points. Hashes are MurmurHash3 with 32 bits instead of xxHash with 64, so other gRPC clients send
 * the same key elsewhere. Rings may be larger than 4,096 points, if that is configured. Every endpoint has a point, even if there
 * are more endpoints than `maxRingSize`. The number of points of the lightest endpoint is a power of two, so that endpoints gain
 * or lose points only when the whole ring has doubled or halved, and not each time an endpoint comes or goes.
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
	/** The owners of the points, by their numbers. A new array for each ring. */
	#owners: readonly (RingMember | undefined)[] = [];
	/** The owners in the next ring. */
	readonly #numbered: (RingMember | undefined)[] = [];
	/** All lower numbers are in use. */
	#free = 0;
	/** The owners whose points must be removed from the ring. */
	readonly #gone = new Set<number>();
	#ring = HashRing.empty;
	readonly #census: Census = {
		idle: 0,
		connecting: 0,
		ready: 0,
		transientFailure: 0,
		shutdown: 0,
	};
	/** While an update is under way, nothing is published. */
	#updating = false;
	#closed = false;
	/** Cancels the next slice of an update. */
	#cancelUpdate: () => void = () => {};
	#cancelExit: () => void = () => {};
	/** Where the last idle endpoint was found. The next one is probably after it. */
	#lookedAt = 0;

	constructor(helper: BalancerHelper, config: RingHashConfig) {
		this.#helper = helper;
		this.#config = config;
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#free = 0;
		this.#slice(() => this.#roster.update(endpoints));
	}

	/** Does a slice of an update, and schedules the next one. Until the update is finished, calls use the present ring. */
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

	/** Connects to a random endpoint, unless a call connects to the one that it needs first. */
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
		// Endpoints that leave keep their numbers until the end, so no number is used twice in one update.
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
			// Every endpoint has at least one point.
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

	/** Updates the points of the ring. Points that can stay are not moved. */
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

	/**
	 * The number of points per unit of weight. The lightest endpoint gets the smallest power of two that makes the ring large
	 * enough.
	 */
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
		// A failed endpoint is tried again when its backoff is over (gRFC A61).
		if (failed && state === "idle") member.lent.connect();
		else if (!this.#updating) this.#publish();
	}

	/** The state of the balancer (gRFC A42, "Aggregated Connectivity State"). */
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
		// The first ring is not ready yet.
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

	/** Ensures that one endpoint is connecting while none is ready, even without calls (gRFC A61, "Ring Hash"). */
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
