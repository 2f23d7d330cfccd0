import type {
	BalancerFactory,
	BalancerHelper,
	Pick,
	Picker,
	PickInfo,
	Subchannel,
} from "./balancer.ts";
import { EveryEndpoint, type Member } from "./every-endpoint.ts";
import { Stride } from "./stride.ts";
import { untriedFrom } from "./untried.ts";

/**
 * Keeps a connection to every endpoint, and gives those that are ready the
 * calls in turn (grpc/load-balancing, "round_robin"). Where weights differ, an
 * endpoint has as many turns as its weight says, spread evenly (gRFC A58,
 * "static stride"; but the weights are the resolver's, not the servers' own
 * reports). A call that is tried again goes to one that it has not tried.
 */
export const roundRobin: BalancerFactory = (helper) =>
	new EveryEndpoint<TurnTaker>(helper, {
		join: (subchannel, weight) => ({
			subchannel,
			weight,
			pick: { kind: "subchannel", subchannel },
		}),
		picker: (ready) => new TurnPicker(ready, turnsOf(ready, helper)),
	});

interface TurnTaker extends Member {
	readonly pick: Pick;
}

/** Whose turn it is, as an index: endlessly. */
interface Turns {
	next(): number;
}

class TurnPicker implements Picker {
	readonly #ready: readonly TurnTaker[];
	readonly #turns: Turns;

	constructor(ready: readonly TurnTaker[], turns: Turns) {
		this.#ready = ready;
		this.#turns = turns;
	}

	pick({ tried }: PickInfo): Pick {
		const { pick, subchannel } = this.#ready[this.#turns.next()] as TurnTaker;
		return tried.size > 0 && tried.has(subchannel)
			? this.#another(tried, pick)
			: pick;
	}

	/** By turns, as long as there is hope; then whichever comes first. */
	#another(tried: ReadonlySet<Subchannel>, otherwise: Pick): Pick {
		let turn = 0;
		for (let turns = tried.size; turns > 0; turns--) {
			turn = this.#turns.next();
			const { pick, subchannel } = this.#ready[turn] as TurnTaker;
			if (!tried.has(subchannel)) return pick;
		}
		return untriedFrom(turn, this.#ready, tried)?.pick ?? otherwise;
	}
}

class EqualTurns implements Turns {
	readonly #count: number;
	#next: number;

	constructor(count: number, start: number) {
		this.#count = count;
		this.#next = start;
	}

	next(): number {
		const turn = this.#next;
		this.#next = turn + 1 === this.#count ? 0 : turn + 1;
		return turn;
	}
}

/** Beginning anywhere, so that many clients do not begin at the same endpoint. */
function turnsOf(
	ready: readonly TurnTaker[],
	{ random }: BalancerHelper,
): Turns {
	const { weight } = ready[0] as TurnTaker;
	return ready.every((member) => member.weight === weight)
		? new EqualTurns(ready.length, Math.floor(random() * ready.length))
		: new Stride(
				ready.map((member) => member.weight),
				random(),
			);
}
