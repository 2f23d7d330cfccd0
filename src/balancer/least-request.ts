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
	/** How many endpoints are drawn for a call: from 2 to 10, because more would gain nothing. */
	readonly choiceCount: number;
}

const MAX_CHOICES = 10;

/** With different weights, the same endpoint may be drawn twice. It is drawn again at most this many times; otherwise a heavy one would get too few calls. */
const REDRAWS = 3;

/**
 * The default balancer. For each call it draws two of the ready endpoints at random, by weight, and chooses the one with the
 * lower cost (gRFC A48; M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001). It connects to every
 * endpoint.
 *
 * The cost is `latency × (calls in flight ÷ relative weight + 1)`:
 *
 * - The latency is measured with unary calls. A slower call counts at once; otherwise the average moves with a time constant
 *   of 10 s. It fades while there are no calls, so that an endpoint which was slow once is tried again.
 * - A call that still waits counts with the time it has waited. So a slow endpoint is avoided before its first slow answer.
 * - An endpoint that has not answered yet is given the median latency of the others. It gets its share but no burst, because
 *   its calls in flight count.
 * - An endpoint that fails is not considered fast, however fast it fails. UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, UNKNOWN and
 *   RESOURCE_EXHAUSTED double a penalty on its latency, up to a factor of 100, which fades with the same time constant. The
 *   penalty is a factor because the time of a failure says nothing about a good answer, and a fixed number of milliseconds is
 *   much for one service and nothing for another. It is doubled only once in a round trip, because calls that were already in
 *   flight met the same trouble (as TCP halves its window once in a round trip). So one failure in a hundred hardly matters, and
 *   an endpoint that fails every call gets a call now and then, which finds out when it works again. A failure that takes longer
 *   than the measured latency raises the latency to its duration.
 * - CANCELED means that nobody waited for the end, so it can only raise the latency. A call that was never sent does not
 *   count. All other codes count as answers, like OK.
 * - The duration of a stream says nothing about the endpoint. Streams count while they are in flight, and when they fail.
 *
 * A retried call goes to an endpoint that it has not tried.
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
	/** The rows of the ready endpoints in the load table. */
	readonly #rows: Int32Array;
	readonly #meanWeight: number;
	readonly #equal: boolean;
	/** Made lazily, because most pickers are never used while endpoints become ready one by one. */
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

	/** Draws an endpoint other than the given one: always with equal weights, otherwise most likely. */
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
