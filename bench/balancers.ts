/**
 * Measures the balancers: `node bench/balancers.ts`, from the sources.
 *
 * For each policy over 10, 1,000 and 10,000 ready endpoints it prints the cost of a pick (with the start and the end of its
 * call), the bytes that a pick leaves on the heap, the cost of an update that replaces one endpoint, and the time until all
 * endpoints are ready when they become ready one by one, with a pick after each. All times are CPU time. Policies take turns
 * in each round, and the medians are printed.
 */

import type {
	Balancer,
	BalancerFactory,
	PickInfo,
} from "../src/balancer/balancer.ts";
import { leastRequest } from "../src/balancer/least-request.ts";
import { pickFirst } from "../src/balancer/pick-first.ts";
import { ringHash } from "../src/balancer/ring-hash/ring-hash.ts";
import { roundRobin } from "../src/balancer/round-robin.ts";
import { preferZone } from "../src/balancer/zone-preference.ts";
import type { Endpoint } from "../src/discovery/resolver.ts";
import {
	anyCall,
	FakeBalancerHelper,
} from "../testdata/harness/fake-balancer-helper.ts";
import { markdownTable } from "../testdata/harness/markdown-table.ts";

const SIZES = [10, 1000, 10_000];
const ROUNDS = 9;
const ROUNDS_UNTIL_READY = 3;
/** How long each thing is measured in a round. The platform counts CPU time in milliseconds. */
const ROUND_MS = 40;

interface Contestant {
	readonly name: string;
	readonly factory: BalancerFactory;
	weight(index: number): number;
}

const equal = (): number => 1;
const uneven = (index: number): number => 1 + (index % 10);

const CONTESTANTS: readonly Contestant[] = [
	{ name: "pick_first", factory: pickFirst, weight: equal },
	{ name: "round_robin", factory: roundRobin, weight: equal },
	{ name: "round_robin, weights 1 to 10", factory: roundRobin, weight: uneven },
	{ name: "least_request", factory: leastRequest, weight: equal },
	{
		name: "least_request, weights 1 to 10",
		factory: leastRequest,
		weight: uneven,
	},
	{ name: "ring_hash", factory: ringHash, weight: equal },
	{ name: "ring_hash, weights 1 to 10", factory: ringHash, weight: uneven },
	{
		name: "least_request in three zones",
		factory: preferZone(leastRequest, "zone-0"),
		weight: equal,
	},
];

/** Calls with different keys, for ring_hash. */
const CALLS: readonly PickInfo[] = Array.from({ length: 1024 }, (_, i) => ({
	...anyCall,
	hashKey: `user-${i}`,
}));

const PICKS = 1000;

const WENT_WELL = { code: undefined, latencyMs: 5, sent: true } as const;

/** A balancer whose endpoints are all ready. */
interface Standing {
	readonly helper: FakeBalancerHelper;
	readonly balancer: Balancer;
	/** Returns the next list, in which one endpoint is replaced. */
	readonly next: () => Endpoint[];
}

/** Medians of all rounds. */
interface Costs {
	readonly pickNs: number;
	readonly pickBytes: number;
	readonly updateMs: number;
	readonly untilReadyMs: number;
}

/** Bounds with the most endpoints, for a pick (except by ring_hash) and for an update of one endpoint. */
const MAX_PICK_NS = 1000;
const MAX_UPDATE_MS = 5;

let costs: ReadonlyMap<Contestant, Costs> = new Map();
for (const size of SIZES) {
	console.log(`\n${size.toLocaleString("en")} endpoints\n`);
	costs = measure(size);
	console.log(
		markdownTable([
			["", "pick", "heap per pick", "update of one", "all ready"],
			...CONTESTANTS.map((contestant) =>
				row(contestant.name, costs.get(contestant) as Costs),
			),
		]),
	);
}

const missed = CONTESTANTS.filter((contestant) => {
	const { pickNs, updateMs } = costs.get(contestant) as Costs;
	const bounded = contestant.factory !== ringHash;
	return updateMs > MAX_UPDATE_MS || (bounded && pickNs > MAX_PICK_NS);
});
console.log(
	missed.length === 0
		? `\nAll picks take at most ${MAX_PICK_NS} ns, all updates at most ${MAX_UPDATE_MS} ms.\n`
		: `\nTOO SLOW: ${missed.map(({ name }) => name).join(", ")}\n`,
);
if (process.argv.includes("--check") && missed.length > 0) process.exitCode = 1;

function measure(size: number): ReadonlyMap<Contestant, Costs> {
	const untilReady = samples();
	for (let round = 0; round < ROUNDS_UNTIL_READY; round++) {
		for (const contestant of CONTESTANTS) {
			untilReady(contestant).push(timed(() => standing(contestant, size)));
		}
	}
	const all = new Map(
		CONTESTANTS.map((contestant) => [contestant, standing(contestant, size)]),
	);
	const [picks, bytes, updates] = [samples(), samples(), samples()];
	for (let round = 0; round < ROUNDS; round++) {
		for (const [contestant, { helper, balancer, next }] of all) {
			picks(contestant).push(repeated(() => pickMany(helper)) / PICKS);
			bytes(contestant).push(heapOf(() => pickMany(helper)) / PICKS);
			const lists = [next(), next()];
			updates(contestant).push(
				repeated(() => {
					for (const endpoints of lists) {
						balancer.update(endpoints);
						helper.pick(CALLS[0]);
					}
				}) / lists.length,
			);
			connect(helper);
		}
	}
	return new Map(
		CONTESTANTS.map((contestant) => [
			contestant,
			{
				pickNs: median(picks(contestant)) * 1e6,
				pickBytes: median(bytes(contestant)),
				updateMs: median(updates(contestant)),
				untilReadyMs: median(untilReady(contestant)),
			},
		]),
	);
}

function standing({ factory, weight }: Contestant, size: number): Standing {
	const helper = new FakeBalancerHelper();
	helper.random = Math.random;
	helper.now = () => performance.now();
	const balancer = factory(helper);
	let updates = 0;
	const next = (): Endpoint[] => {
		updates += 1;
		const endpoints = Array.from({ length: size }, (_, i) => ({
			address:
				i === updates % size
					? `10.1.0.${updates}:50051`
					: `10.0.${i >> 8}.${i & 255}:50051`,
			weight: weight(i),
			zone: `zone-${i % 3}`,
		}));
		// Made anew, as a resolver makes them from an answer.
		return JSON.parse(JSON.stringify(endpoints));
	};
	const due = new Set<() => void>();
	helper.after = (_ms, action) => {
		due.add(action);
		return () => due.delete(action);
	};
	balancer.update(next());
	// A balancer takes over a long list in slices.
	for (const action of due) {
		due.delete(action);
		action();
	}
	connect(helper);
	return { helper, balancer, next };
}

/** Makes the endpoints ready one by one, with a call after each. */
function connect(helper: FakeBalancerHelper): void {
	for (const subchannel of [...helper.made]) {
		if (subchannel.state === "shutdown") continue;
		subchannel.connect();
		if (subchannel.state !== "connecting") continue;
		subchannel.becomes("ready");
		helper.pick(CALLS[0]);
	}
}

function pickMany(helper: FakeBalancerHelper): void {
	const { picker } = helper;
	for (let i = 0; i < PICKS; i++) {
		const pick = picker?.pick(CALLS[i & 1023] as PickInfo);
		if (pick?.kind !== "subchannel")
			throw new Error("an endpoint is not ready");
		pick.started?.();
		pick.ended?.(WENT_WELL);
	}
}

function samples(): (contestant: Contestant) => number[] {
	const all = new Map<Contestant, number[]>();
	return (contestant) => {
		const list = all.get(contestant) ?? [];
		all.set(contestant, list);
		return list;
	};
}

/** Repeats something for the length of a round. Returns the time of one repetition in milliseconds. */
function repeated(action: () => void): number {
	for (let times = 1; ; times *= 2) {
		const ms = timed(() => {
			for (let i = 0; i < times; i++) action();
		});
		if (ms >= ROUND_MS) return ms / times;
	}
}

/** Returns by how many bytes an action increases the heap in use. */
function heapOf(action: () => void): number {
	const before = process.memoryUsage().heapUsed;
	action();
	return process.memoryUsage().heapUsed - before;
}

/** Returns the CPU time of an action in this thread, in milliseconds, which depends little on what else the machine does. */
function timed(action: () => void): number {
	const before = process.threadCpuUsage();
	action();
	const { user, system } = process.threadCpuUsage(before);
	return (user + system) / 1000;
}

function median(values: readonly number[]): number {
	return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

function row(name: string, costs: Costs): string[] {
	return [
		name,
		`${costs.pickNs.toFixed(0)} ns`,
		`${Math.max(costs.pickBytes, 0).toFixed(0)} B`,
		`${costs.updateMs.toFixed(3)} ms`,
		`${costs.untilReadyMs.toFixed(0)} ms`,
	];
}
