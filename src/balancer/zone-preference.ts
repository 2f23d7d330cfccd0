import type { Endpoint } from "../discovery/resolver.ts";
import type {
	Balancer,
	BalancerFactory,
	BalancerHelper,
	ChannelState,
	Pick,
	Picker,
	PickInfo,
} from "./balancer.ts";
import { endpointKey, weightOf } from "./endpoint-key.ts";
import { waitPicker } from "./fixed-picker.ts";
import { murmur3 } from "./murmur3.ts";
import { Roster } from "./roster.ts";

/** Not that of hash rings: so neither choice depends on the other. */
const ZONE_SEED = 1;

/** How much more than its share a zone can take: Envoy's overprovisioning factor. */
const OVERPROVISIONING = 1.4;

/**
 * A balancer that keeps calls in the client's own zone, as long as enough of it
 * is there: two of `child`, one over the endpoints of `localZone` and one over all
 * others, both connected.
 *
 * A zone's share is the weight of all endpoints, divided by the number of zones:
 * so much each zone has to serve if the clients are spread over the zones evenly.
 * (Endpoints of which no zone is known are one more zone.)
 * A call stays in the zone with the probability
 *
 * `min(1, 1.4 × weight of the local endpoints that are available ÷ share)`
 *
 * and goes to the others otherwise. So a zone may lack 28 % of its share, by few
 * endpoints or by sick ones, before any call leaves it, and is not run over when
 * it lacks more. (Envoy: "Zone aware routing" for the rest of a small zone going
 * elsewhere, "Overprovisioning factor" for the 1.4, in its documentation of load
 * balancing.) Available are those that are ready, and those that `child` has had
 * no reason to connect to; not those that are connecting, failed, or taken out.
 *
 * Where the calls' first choice has no connection, they go to the other. A call
 * that is tried again leaves the zone when it has tried all of it. Calls with the
 * same `hashKey` make the same choice. With all endpoints in the zone, or none,
 * there is one `child` and no choice.
 *
 * An endpoint whose zone becomes the local one, or ceases to be, is connected to
 * anew.
 */
export function preferZone(
	child: BalancerFactory,
	localZone: string,
): BalancerFactory {
	return (helper) => new ZonePreference(helper, child, localZone);
}

/** One of the two children, and what it published last. */
interface Side {
	readonly balancer: Balancer;
	readonly published: { state: ChannelState; picker: Picker };
}

/** An endpoint of the zone. */
interface Local {
	weight: number;
	available: boolean;
}

class ZonePreference implements Balancer {
	readonly #helper: BalancerHelper;
	readonly #child: BalancerFactory;
	readonly #localZone: string;
	#near: Side | undefined;
	#far: Side | undefined;
	readonly #locals = new Roster<Local>({
		join: (endpoint) => ({ weight: weightOf(endpoint), available: true }),
		stay: (local, endpoint) => {
			local.weight = weightOf(endpoint);
		},
		leave: () => {},
	});
	/** The weight of those that are available. */
	#available = 0;
	/** The weight that one zone has to serve. */
	#share = 0;
	#updating = false;
	/** Counts what was published. */
	#publications = 0;

	constructor(
		helper: BalancerHelper,
		child: BalancerFactory,
		localZone: string,
	) {
		this.#helper = helper;
		this.#child = child;
		this.#localZone = localZone;
	}

	update(endpoints: readonly Endpoint[]): void {
		const near: Endpoint[] = [];
		const far: Endpoint[] = [];
		for (const endpoint of endpoints) {
			(endpoint.zone === this.#localZone ? near : far).push(endpoint);
		}
		this.#updating = true;
		try {
			this.#weigh(endpoints, near);
			this.#near = this.#side(this.#near, near, (endpoint, onState) =>
				this.#watched(endpoint, onState),
			);
			this.#far = this.#side(this.#far, far, (endpoint, onState) =>
				this.#helper.createSubchannel(endpoint, onState),
			);
		} finally {
			// A child of the user's own may throw, and go on later.
			this.#updating = false;
		}
		this.#publish();
	}

	exitIdle(): void {
		this.#near?.balancer.exitIdle();
		this.#far?.balancer.exitIdle();
	}

	close(): void {
		this.#updating = true;
		this.#near?.balancer.close();
		this.#far?.balancer.close();
	}

	#weigh(all: readonly Endpoint[], near: readonly Endpoint[]): void {
		const zones = new Set<string | undefined>();
		let total = 0;
		for (const endpoint of all) {
			if (endpoint.weight === 0) continue;
			zones.add(endpoint.zone);
			total += weightOf(endpoint);
		}
		// Where all weigh nothing, all stay in the zone.
		this.#share = total / zones.size || 1;
		this.#locals.update(near);
		this.#locals.finish();
		this.#available = 0;
		for (const { weight, available } of this.#locals.entries) {
			if (available) this.#available += weight;
		}
	}

	/** The child over these endpoints: none over none. */
	#side(
		before: Side | undefined,
		endpoints: readonly Endpoint[],
		createSubchannel: BalancerHelper["createSubchannel"],
	): Side | undefined {
		if (endpoints.length === 0) {
			before?.balancer.close();
			return undefined;
		}
		const side = before ?? this.#newSide(createSubchannel);
		side.balancer.update(endpoints);
		return side;
	}

	#newSide(createSubchannel: BalancerHelper["createSubchannel"]): Side {
		const helper = this.#helper;
		const published: Side["published"] = { state: "idle", picker: waitPicker };
		const balancer = this.#child({
			random: () => helper.random(),
			now: () => helper.now(),
			after: (ms, action) => helper.after(ms, action),
			createSubchannel,
			publish: (state, picker) => {
				published.state = state;
				published.picker = picker;
				this.#publish();
			},
		});
		return { balancer, published };
	}

	/** A subchannel in the zone, whose state counts. */
	#watched(
		endpoint: Endpoint,
		onState: (state: ChannelState, error?: Error) => void,
	): ReturnType<BalancerHelper["createSubchannel"]> {
		const key = endpointKey(endpoint);
		return this.#helper.createSubchannel(endpoint, (state, error) => {
			const before = this.#publications;
			const counts = this.#count(
				key,
				state !== "connecting" && state !== "transientFailure",
			);
			onState(state, error);
			if (counts && this.#publications === before) this.#publish();
		});
	}

	/** Whether that changes anything. */
	#count(key: string, available: boolean): boolean {
		const local = this.#locals.get(key);
		if (local === undefined || local.available === available) return false;
		local.available = available;
		this.#available += available ? local.weight : -local.weight;
		return true;
	}

	#publish(): void {
		if (this.#updating) return;
		this.#publications += 1;
		const near = this.#near?.published;
		const far = this.#far?.published;
		if (near !== undefined && far !== undefined) {
			const chance = (OVERPROVISIONING * this.#available) / this.#share;
			this.#helper.publish(
				joint(near.state, far.state),
				new ZonePicker(near.picker, far.picker, chance, this.#helper.random),
			);
		} else {
			const only = near ?? far;
			if (only !== undefined) this.#helper.publish(only.state, only.picker);
		}
	}
}

/** Of two balancers that share the calls, as gRPC aggregates the states of endpoints. */
function joint(one: ChannelState, other: ChannelState): ChannelState {
	const states = ["ready", "connecting", "idle"] as const;
	return (
		states.find((state) => one === state || other === state) ??
		"transientFailure"
	);
}

class ZonePicker implements Picker {
	readonly #near: Picker;
	readonly #far: Picker;
	readonly #nearChance: number;
	readonly #random: () => number;

	constructor(
		near: Picker,
		far: Picker,
		nearChance: number,
		random: () => number,
	) {
		this.#near = near;
		this.#far = far;
		this.#nearChance = nearChance;
		this.#random = random;
	}

	pick(call: PickInfo): Pick {
		const near = this.#nearChance >= 1 || this.#chance(call) < this.#nearChance;
		const first = (near ? this.#near : this.#far).pick(call);
		if (first.kind === "drop" || isNew(first, call)) return first;
		const second = (near ? this.#far : this.#near).pick(call);
		return isNew(second, call) || rank(second) > rank(first) ? second : first;
	}

	#chance({ hashKey }: PickInfo): number {
		return hashKey === undefined
			? this.#random()
			: murmur3(hashKey, ZONE_SEED) / 2 ** 32;
	}
}

/** Whether it is an endpoint that the call has not tried. */
function isNew(pick: Pick, { tried }: PickInfo): boolean {
	return (
		pick.kind === "subchannel" &&
		(tried.size === 0 || !tried.has(pick.subchannel))
	);
}

/** An endpoint is better than to wait for one, and that is better than to fail. */
function rank({ kind }: Pick): number {
	return kind === "subchannel" ? 2 : kind === "wait" ? 1 : 0;
}
