import { afterAll, describe, expect, test } from "vitest";
import {
	anyCall,
	FakeBalancerHelper,
} from "../../testdata/harness/fake-balancer-helper.ts";
import { seeded } from "../../testdata/harness/seeded.ts";
import { Steps } from "../../testdata/harness/steps.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import type { Balancer, BalancerFactory } from "./balancer.ts";

// What the specification says of time, said of work: time is for the benchmark to measure.

const steps = await Steps.counting(/\/src\/balancer\/(?!.*\.test\.ts)/);
afterAll(() => steps[Symbol.asyncDispose]());
const { leastRequest } = await import("./least-request.ts");
const { pickFirst } = await import("./pick-first.ts");
const { ringHash } = await import("./ring-hash/ring-hash.ts");
const { roundRobin } = await import("./round-robin.ts");
const { preferZone } = await import("./zone-preference.ts");

const FEW = 100;
const MANY = 10_000;
const PICKS = 500;

type Weight = (index: number) => number;
const equal: Weight = () => 1;
const uneven: Weight = (index) => 1 + (index % 10);

/** Its first endpoint is another in every version. */
function list(count: number, weight: Weight, version: number): Endpoint[] {
	return Array.from({ length: count }, (_, i) => ({
		address: `10.${i === 0 ? version : 0}.${i >> 8}.${i & 255}:1`,
		weight: weight(i),
		zone: `zone-${i % 3}`,
	}));
}

async function ready(
	factory: BalancerFactory,
	count: number,
	weight: Weight,
): Promise<{ helper: FakeBalancerHelper; balancer: Balancer }> {
	const helper = new FakeBalancerHelper();
	helper.random = seeded(1);
	const balancer = factory(helper);
	balancer.update(list(count, weight, 0));
	await helper.clock.advance(0);
	for (const subchannel of helper.made) subchannel.connect();
	helper.allReady();
	await helper.clock.advance(100);
	return { helper, balancer };
}

const calls = Array.from({ length: PICKS }, (_, i) => ({
	hashKey: `user-${i}`,
}));

function pickAll(helper: FakeBalancerHelper): void {
	for (const call of calls) {
		const pick = helper.picker?.pick({ ...anyCall, ...call });
		if (pick?.kind !== "subchannel") throw new Error("all are ready");
		pick.started?.();
		pick.ended?.({ code: undefined, latencyMs: 5, sent: true });
	}
}

/** Of one call: its pick, its start and its end. */
async function stepsOfPick(
	factory: BalancerFactory,
	count: number,
	weight: Weight,
): Promise<number> {
	const { helper } = await ready(factory, count, weight);
	// Tables and rings are made with the first pick.
	pickAll(helper);
	return (await steps.of(() => pickAll(helper))) / PICKS;
}

async function stepsOfUpdate(
	factory: BalancerFactory,
	count: number,
	weight: Weight,
): Promise<number> {
	const { helper, balancer } = await ready(factory, count, weight);
	pickAll(helper);
	const next = list(count, weight, 1);
	return steps.of(() => balancer.update(next));
}

const policies: [string, BalancerFactory, Weight][] = [
	["pick_first", pickFirst, equal],
	["round_robin", roundRobin, equal],
	["round_robin with weights", roundRobin, uneven],
	["least_request", leastRequest, equal],
	["least_request with weights", leastRequest, uneven],
	["zone preference", preferZone(leastRequest, "zone-0"), equal],
];

describe.each(policies)("%s", (_, factory, weight) => {
	test("a pick is O(1): over 10,000 endpoints it takes about the steps that it takes over 100", async () => {
		const few = await stepsOfPick(factory, FEW, weight);
		const many = await stepsOfPick(factory, MANY, weight);
		expect(few).toBeGreaterThanOrEqual(1);
		// More of them have not answered yet: for these the median of at most 15 others stands in.
		expect(many).toBeLessThan(few + 100);
	});
});

test("a pick of ring_hash is O(log n): a hundred times the endpoints add a few steps", async () => {
	const few = await stepsOfPick(ringHash, FEW, equal);
	const many = await stepsOfPick(ringHash, MANY, equal);
	expect(few).toBeGreaterThan(1);
	expect(many).toBeLessThan(few + 3 * Math.log2(MANY / FEW));
});

describe.each([...policies, ["ring_hash", ringHash, equal] as const])(
	"%s",
	(_, factory, weight) => {
		test("an update of one endpoint takes steps in proportion to their number", async () => {
			const few = await stepsOfUpdate(factory, FEW, weight);
			const many = await stepsOfUpdate(factory, MANY, weight);
			expect(few).toBeGreaterThan(1);
			expect(many).toBeLessThan((few * MANY * 1.25) / FEW);
		});
	},
);

test("a call without a key that waits for ring_hash takes few steps, however many endpoints have failed", async () => {
	const stepsWith = async (count: number): Promise<number> => {
		const helper = new FakeBalancerHelper();
		helper.random = seeded(1);
		ringHash(helper).update(list(count, equal, 0));
		await helper.clock.advance(0);
		const [slow, ...dead] = helper.made;
		slow?.connect();
		for (const subchannel of dead) {
			subchannel.connect();
			subchannel.fails("refused");
		}
		return steps.of(() => {
			for (let i = 0; i < PICKS; i++) {
				expect(helper.pick().kind).toBe("wait");
			}
		});
	};
	// Either ring has a thousand points or more.
	for (const count of [10, 1000]) {
		const each = (await stepsWith(count)) / PICKS;
		expect(each).toBeGreaterThan(1);
		expect(each).toBeLessThan(100);
	}
});
