import { OptionError, shown } from "../checks/option-error.ts";
import { at } from "../checks/option-table.ts";
import { JsonFields, parseUint32 } from "../policy/proto-json.ts";
import { AliasTable } from "./alias-table.ts";
import type {
	BalancerFactory,
	BalancerHelper,
	Pick,
	Picker,
	PickInfo,
	Subchannel,
} from "./balancer.ts";
import { EndpointLoad } from "./endpoint-load.ts";
import { EveryEndpoint } from "./every-endpoint.ts";
import { LoadTable } from "./load-table.ts";
import { untriedFrom } from "./untried.ts";

export interface LeastRequestConfig {
	/** How many endpoints are drawn for a call; from 2 to 10, as more would gain nothing. */
	readonly choiceCount: number;
}

const MAX_CHOICES = 10;

/** Where weights differ the same endpoint may come up twice: so often it is drawn again, or a heavy one would hardly have a share. */
const REDRAWS = 3;

/**
 * Draws two of the endpoints that are ready, by weight, and gives the call to
 * the one where it would cost less (gRFC A48; M. Mitzenmacher, "The Power of
 * Two Choices in Randomized Load Balancing", 2001). Keeps a connection to every
 * endpoint.
 *
 * The cost is `latency × (calls in flight ÷ relative weight + 1)`:
 *
 * - The latency is the endpoint's own, as unary calls to it have shown: a
 *   slower one counts at once, otherwise it moves with a time constant of 10 s,
 *   and unasked it fades, so that an endpoint that was slow once is tried again.
 * - A call that still waits counts by how long it has waited, at the least: a slow
 *   endpoint is avoided before its first slow answer.
 * - Of an endpoint that has not answered yet the latency is held to be the median
 *   of the others: it has its share, and no burst, as what it has in flight counts.
 * - An endpoint that fails is not fast, however fast it fails. UNAVAILABLE,
 *   DEADLINE_EXCEEDED, INTERNAL, UNKNOWN and RESOURCE_EXHAUSTED double its
 *   latency in the reckoning, up to 100 times, which wears off with the same 10 s.
 *   They double it, because the time of a failure says nothing of what a good
 *   answer would take, and any fixed number of milliseconds is much to one
 *   service and nothing to another. And once in a round trip only: calls that
 *   were under way already when it was doubled met the same trouble (as TCP
 *   halves its window once in a round trip). So one failure in a hundred hardly
 *   shows, and an endpoint that fails everything is left with a call now and then
 *   that finds out when it is well. Where the time until a failure is longer than
 *   the latency held, the latency is raised to it.
 * - CANCELED means that somebody did not wait for the end: it can only raise the
 *   latency. A call that was never sent says nothing. Every other code is an
 *   answer like OK.
 * - A stream's length says nothing either: streams count while they are in
 *   flight, and when they fail.
 *
 * A call that is tried again goes to an endpoint that it has not tried.
 */
export const leastRequest: BalancerFactory = leastRequestWith({
	choiceCount: 2,
});

export function leastRequestWith({
	choiceCount,
}: LeastRequestConfig): BalancerFactory {
	return (helper) => {
		const loads = new LoadTable(() => helper.now());
		return new EveryEndpoint<EndpointLoad>(helper, {
			join: (subchannel, weight) => new EndpointLoad(subchannel, weight, loads),
			picker: (ready) =>
				new LeastRequestPicker(ready, choiceCount, helper, loads),
			leave: (member) => member.leave(),
		});
	};
}

/** @throws OptionError that names the bad field */
export function readLeastRequestConfig(
	config: unknown,
	where: string,
): LeastRequestConfig {
	const fields = new JsonFields(config, where);
	const choiceCount = fields.optional("choiceCount", parseUint32) ?? 2;
	if (choiceCount < 2) {
		throw new OptionError(
			at(where, "choiceCount"),
			`${shown(choiceCount)} leaves no choice; give 2 or more`,
		);
	}
	return { choiceCount: Math.min(choiceCount, MAX_CHOICES) };
}

class LeastRequestPicker implements Picker {
	readonly #ready: readonly EndpointLoad[];
	readonly #choiceCount: number;
	readonly #helper: BalancerHelper;
	readonly #loads: LoadTable;
	/** Those of `ready`. */
	readonly #rows: Int32Array;
	readonly #meanWeight: number;
	readonly #equal: boolean;
	/** Made when it is needed: while endpoints come up one by one most pickers give no call. */
	#table: AliasTable | undefined;

	constructor(
		ready: readonly EndpointLoad[],
		choiceCount: number,
		helper: BalancerHelper,
		loads: LoadTable,
	) {
		this.#ready = ready;
		this.#choiceCount = choiceCount;
		this.#helper = helper;
		this.#loads = loads;
		this.#rows = new Int32Array(ready.length);
		const { weight } = ready[0] as EndpointLoad;
		let sum = 0;
		let equal = true;
		for (const [index, member] of ready.entries()) {
			this.#rows[index] = member.row;
			sum += member.weight;
			if (member.weight !== weight) equal = false;
		}
		this.#equal = equal;
		this.#meanWeight = sum / ready.length;
	}

	pick({ method, tried }: PickInfo): Pick {
		const member = this.#choose(tried);
		return method.methodKind === "unary" ? member.unary : member.stream;
	}

	#choose(tried: ReadonlySet<Subchannel>): EndpointLoad {
		const now = this.#loads.readClock();
		const first = this.#draw();
		let chosen = first;
		if (this.#ready.length === 1) return this.#ready[first] as EndpointLoad;
		let lowest = this.#cost(first, now, tried);
		for (let choices = this.#choiceCount; choices > 1; choices--) {
			const other = this.#drawOther(first);
			const cost = this.#cost(other, now, tried);
			if (cost < lowest) {
				lowest = cost;
				chosen = other;
			}
		}
		const member = this.#ready[chosen] as EndpointLoad;
		return lowest === Infinity
			? (untriedFrom(first, this.#ready, tried) ?? member)
			: member;
	}

	#cost(index: number, now: number, tried: ReadonlySet<Subchannel>): number {
		if (tried.size > 0) {
			const { subchannel } = this.#ready[index] as EndpointLoad;
			if (tried.has(subchannel)) return Infinity;
		}
		return this.#loads.cost(this.#rows[index] as number, now, this.#meanWeight);
	}

	#draw(): number {
		const chance = this.#helper.random();
		if (this.#equal) return Math.floor(chance * this.#ready.length);
		this.#table ??= new AliasTable(this.#ready.map(({ weight }) => weight));
		return this.#table.draw(chance);
	}

	/** Where weights are equal, another one; else, most likely. */
	#drawOther(first: number): number {
		if (this.#equal) {
			const others = this.#ready.length - 1;
			const other = Math.floor(this.#helper.random() * others);
			return other < first ? other : other + 1;
		}
		let other = this.#draw();
		for (let left = REDRAWS; left > 0 && other === first; left--) {
			other = this.#draw();
		}
		return other;
	}
}
