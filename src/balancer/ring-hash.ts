import type { Endpoint } from "../discovery/resolver.ts";
import { at, type Check } from "../policy/option-table.ts";
import { PolicyError, shown } from "../policy/policy-error.ts";
import { JsonFields, parseUint32 } from "../policy/proto-json.ts";
import type {
	Balancer,
	BalancerFactory,
	BalancerHelper,
	ChannelState,
	Pick,
	Picker,
	PickInfo,
	Subchannel,
} from "./balancer.ts";
import { byKey, weightOf } from "./endpoint-key.ts";
import { HashRing } from "./hash-ring.ts";
import { murmur3 } from "./murmur3.ts";

export interface RingHashConfig {
	/** The ring has at least so many points, if `maxRingSize` allows. */
	readonly minRingSize: number;
	/** The ring has at most so many points, or one for each endpoint. */
	readonly maxRingSize: number;
	/** The metadata whose value is the key of calls that come without `hashKey`. */
	readonly requestHashHeader: string | undefined;
}

const DEFAULT: RingHashConfig = {
	minRingSize: 1024,
	maxRingSize: 4096,
	requestHashHeader: undefined,
};

/** Envoy's and gRPC's. */
const LARGEST_RING = 8 * 1024 * 1024;

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
export const ringHash: BalancerFactory = ringHashWith(DEFAULT);

export function ringHashWith(config: RingHashConfig): BalancerFactory {
	return (helper) => new RingHash(helper, config);
}

/** @throws PolicyError that names the bad field */
export function readRingHashConfig(
	config: unknown,
	where: string,
): RingHashConfig {
	const fields = new JsonFields(config, where);
	const minRingSize =
		fields.optional("minRingSize", ringSize) ?? DEFAULT.minRingSize;
	const maxRingSize =
		fields.optional("maxRingSize", ringSize) ??
		Math.max(minRingSize, DEFAULT.maxRingSize);
	if (minRingSize > maxRingSize) {
		throw new PolicyError(
			at(where, "minRingSize"),
			`${minRingSize} is more than maxRingSize, ${maxRingSize}`,
		);
	}
	const requestHashHeader = fields.optional("requestHashHeader", headerName);
	return { minRingSize, maxRingSize, requestHashHeader };
}

const ringSize: Check<number> = (value, where) => {
	const size = parseUint32(value, where);
	if (size >= 1 && size <= LARGEST_RING) return size;
	throw new PolicyError(
		where,
		`${shown(value)} is not from 1 to ${LARGEST_RING}`,
	);
};

const headerName: Check<string | undefined> = (value, where) => {
	// In proto3 JSON the same as none.
	if (value === "") return undefined;
	if (typeof value !== "string" || !/^[0-9a-z_.-]+$/i.test(value)) {
		throw new PolicyError(
			where,
			`${shown(value)} is no name of metadata: letters, digits, "_", "-" and "."`,
		);
	}
	if (!/-bin$/i.test(value)) return value.toLowerCase();
	throw new PolicyError(
		where,
		`${shown(value)} is binary metadata; name a textual one, without "-bin"`,
	);
};

type Lent = ReturnType<BalancerHelper["createSubchannel"]>;

interface Member {
	/** Its number in the ring. */
	readonly owner: number;
	readonly lent: Lent;
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
type Census = Record<ChannelState, number>;

class RingHash implements Balancer {
	readonly #helper: BalancerHelper;
	readonly #config: RingHashConfig;
	#members = new Map<string, Member>();
	/** By their number in the ring; a new list with each update. */
	#owners: readonly (Member | undefined)[] = [];
	#ring = HashRing.empty;
	readonly #census: Census = {
		idle: 0,
		connecting: 0,
		ready: 0,
		transientFailure: 0,
		shutdown: 0,
	};
	#updating = false;
	#cancelExit: () => void = () => {};

	constructor(helper: BalancerHelper, config: RingHashConfig) {
		this.#helper = helper;
		this.#config = config;
	}

	update(endpoints: readonly Endpoint[]): void {
		const wanted = byKey(endpoints);
		const before = this.#members;
		const owners = this.#owners.slice();
		const gone = new Set<number>();
		this.#updating = true;
		for (const [key, member] of before) {
			if (wanted.has(key)) continue;
			gone.add(member.owner);
			owners[member.owner] = undefined;
			this.#dismiss(member);
		}
		this.#members = new Map();
		let free = 0;
		for (const [key, endpoint] of wanted) {
			let member = before.get(key);
			if (member === undefined) {
				// Not one of those gone, whose points are still in the ring.
				while (owners[free] !== undefined || gone.has(free)) free += 1;
				member = this.#member(free, endpoint);
				owners[free] = member;
			} else {
				member.weight = weightOf(endpoint);
			}
			this.#members.set(key, member);
		}
		this.#owners = owners;
		this.#place(gone);
		this.#updating = false;
		this.#publish();
	}

	/** A call that has come makes the connection that it needs; without one, any endpoint will do. */
	exitIdle(): void {
		this.#cancelExit();
		this.#cancelExit = this.#helper.after(0, () => {
			if (this.#state() !== "idle") return;
			const nth = Math.floor(this.#helper.random() * this.#members.size);
			[...this.#members.values()][nth]?.lent.connect();
		});
	}

	close(): void {
		this.#cancelExit();
		this.#updating = true;
		for (const member of this.#members.values()) this.#dismiss(member);
		this.#members.clear();
	}

	#member(owner: number, endpoint: Endpoint): Member {
		const lent: Lent = this.#helper.createSubchannel(endpoint, (state, error) =>
			this.#heard(member, state, error),
		);
		const { address, attributes } = endpoint;
		const [first = ""] = typeof address === "string" ? [address] : address;
		const member: Member = {
			owner,
			lent,
			pick: { kind: "subchannel", subchannel: lent },
			name: attributes?.["hash_key"] || first,
			weight: weightOf(endpoint),
			hashes: [],
			points: 0,
			state: "idle",
			error: undefined,
		};
		this.#census.idle += 1;
		return member;
	}

	#dismiss(member: Member): void {
		this.#census[member.state] -= 1;
		member.state = "shutdown";
		member.lent.shutdown();
	}

	/** Puts the points where they belong now, moving none that can stay. */
	#place(gone: Set<number>): void {
		const perWeight = this.#pointsPerWeight();
		const points: { hash: number; owner: number }[] = [];
		for (const member of this.#members.values()) {
			const { owner, weight, hashes, name } = member;
			const wanted = Math.max(Math.round(weight * perWeight), 1);
			if (wanted === member.points) continue;
			if (wanted < member.points) {
				gone.add(owner);
				member.points = 0;
			}
			for (; member.points < wanted; member.points++) {
				const index = member.points;
				hashes[index] ??= murmur3(`${name}_${index}`);
				points.push({ hash: hashes[index] as number, owner });
			}
		}
		if (gone.size > 0 || points.length > 0) {
			this.#ring = this.#ring.changed(gone, points);
		}
	}

	/** By the lightest endpoint, which has the least power of two that makes the ring large enough. */
	#pointsPerWeight(): number {
		let sum = 0;
		let lightest = Infinity;
		for (const { weight } of this.#members.values()) {
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

	#heard(member: Member, state: ChannelState, error: Error | undefined): void {
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
		if (transientFailure === 1 && this.#members.size > 1) return "connecting";
		return idle > 0 ? "idle" : "transientFailure";
	}

	#publish(): void {
		const state = this.#state();
		const picker = new RingPicker(
			this.#ring,
			this.#owners as readonly Member[],
			this.#census,
			this.#config,
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
		for (const { state, lent } of this.#members.values()) {
			if (state !== "idle") continue;
			lent.connect();
			return;
		}
	}
}

const WAIT: Pick = { kind: "wait" };

class RingPicker implements Picker {
	readonly #ring: HashRing;
	readonly #owners: readonly Member[];
	readonly #census: Readonly<Census>;
	readonly #config: RingHashConfig;
	readonly #random: () => number;

	constructor(
		ring: HashRing,
		owners: readonly Member[],
		census: Readonly<Census>,
		config: RingHashConfig,
		random: () => number,
	) {
		this.#ring = ring;
		this.#owners = owners;
		this.#census = census;
		this.#config = config;
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
		const { requestHashHeader } = this.#config;
		if (requestHashHeader === undefined) return undefined;
		return header.get(requestHashHeader) || undefined;
	}

	/** The nearest endpoint that has not failed; the call waits for its connection (A61, "Ring Hash"). */
	#nearest(first: number, tried: ReadonlySet<Subchannel>): Pick {
		let second: Member | undefined;
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
		let second: Member | undefined;
		for (let i = 0; i < this.#ring.size; i++) {
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

	#member(index: number): Member {
		return this.#owners[this.#ring.ownerAt(index % this.#ring.size)] as Member;
	}

	#failure(first: number): Pick {
		const error =
			this.#member(first).error ??
			new Error("no connection has been tried yet");
		return { kind: "fail", error };
	}
}

/** Of one that has not failed. */
function take({ state, lent, pick }: Member): Pick {
	if (state === "ready") return pick;
	lent.connect();
	return WAIT;
}
