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

/** A seed other than that of hash rings, so that the two choices are independent. */
const ZONE_SEED = 1;

/** By which factor a zone can take more than its share: Envoy's overprovisioning factor. */
const OVERPROVISIONING = 1.4;

/**
 * A balancer that keeps calls in the client's own zone while enough of that zone is available. It has two balancers of the kind
 * `child`: one for the endpoints in `localZone`, and one for all others. Both are connected.
 *
 * The share of a zone is the weight of all endpoints, divided by the number of zones. Each zone has to serve this much if clients
 * are spread evenly over the zones. (Endpoints without a zone count as one more zone.) A call stays in the zone with the
 * probability
 *
 * `min(1, 1.4 × weight of the available local endpoints ÷ share)`
 *
 * and otherwise goes to the other zones. So a zone may lack 28 % of its share, because it has few endpoints or because some are
 * unhealthy, before any call leaves it, and it is not overloaded when it lacks more. (In Envoy's documentation of load balancing:
 * "Zone aware routing" for the rest of a small zone going elsewhere, and "Overprovisioning factor" for the 1.4.) Available
 * endpoints are those that are ready, and those that `child` has had no reason to connect to, but not those that are connecting,
 * have failed, or are ejected.
 *
 * If the first choice of a call has no connection, the call goes to the other. A retried call leaves the zone when it has tried
 * all of it. Calls with the same `hashKey` make the same choice. If all endpoints are in the zone, or none is, there is one
 * child and no choice.
 *
 * An endpoint that moves into or out of the local zone gets a new connection.
 */
export function preferZone(
	child: BalancerFactory,
	localZone: string,
): BalancerFactory {
	return (helper) => new ZonePreference(helper, child, localZone);
}

/** One of the two child balancers, and what it published last. */
interface Side {
	readonly balancer: Balancer;
	readonly published: { state: ChannelState; picker: Picker };
}

/** An endpoint in the zone. */
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
	/** The weight of the available endpoints in the zone. */
	#available = 0;
	/** The weight that a zone has to serve. */
	#share = 0;
	#updating = false;
	/** Counts publications. */
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
			// A custom child may throw, and be used again later.
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
		// If all weights are 0, all calls stay in the zone.
		this.#share = total / zones.size || 1;
		this.#locals.update(near);
		this.#locals.finish();
		this.#available = 0;
		for (const { weight, available } of this.#locals.entries) {
			if (available) this.#available += weight;
		}
	}

	/** Returns the child for these endpoints, or none if there are no endpoints. */
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

	/** Makes a subchannel in the zone, whose availability is watched. */
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

	/** Sets the availability. Returns whether it has changed. */
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

/** The state of two balancers that share the calls, aggregated as gRPC aggregates the states of endpoints. */
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

/** Whether a pick is an endpoint that the call has not tried. */
function isNew(pick: Pick, { tried }: PickInfo): boolean {
	return (
		pick.kind === "subchannel" &&
		(tried.size === 0 || !tried.has(pick.subchannel))
	);
}

/** Ranks picks: an endpoint is better than waiting, and waiting is better than failing. */
function rank({ kind }: Pick): number {
	return kind === "subchannel" ? 2 : kind === "wait" ? 1 : 0;
}
