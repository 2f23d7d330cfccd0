import { describe, expect, test } from "vitest";
import {
	anyCall,
	FakeBalancerHelper,
} from "../../testdata/harness/fake-balancer-helper.ts";
import { seeded } from "../../testdata/harness/seeded.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import type { Balancer, BalancerFactory } from "./balancer.ts";
import { leastRequest } from "./least-request.ts";
import { ringHash } from "./ring-hash/ring-hash.ts";
import { roundRobin } from "./round-robin.ts";
import { preferZone } from "./zone-preference.ts";

const MANY = 10_000;

/** In each list another endpoint is not the usual one. */
function list(version: number): Endpoint[] {
	const endpoints = Array.from({ length: MANY }, (_, i) => ({
		address: i === version ? `10.1.0.${i}:1` : `10.0.${i >> 8}.${i & 255}:1`,
		weight: 1 + (i % 4),
		zone: `zone-${i % 3}`,
	}));
	return JSON.parse(JSON.stringify(endpoints));
}

async function balancing(
	factory: BalancerFactory,
	endpoints: readonly Endpoint[] = list(0),
): Promise<{ helper: FakeBalancerHelper; balancer: Balancer }> {
	const helper = new FakeBalancerHelper();
	helper.random = seeded(1);
	const balancer = factory(helper);
	balancer.update(endpoints);
	await helper.clock.advance(0);
	return { helper, balancer };
}

describe.each<[string, BalancerFactory]>([
	["round_robin", roundRobin],
	["least_request", leastRequest],
	["ring_hash", ringHash],
	["zone preference", preferZone(leastRequest, "zone-0")],
])("%s over 10,000 endpoints", (_, factory) => {
	test("an update of one among them touches no other, and is done at once", async () => {
		const { helper, balancer } = await balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		helper.allReady();
		balancer.update(list(1));
		// In either list one is not the usual one.
		expect(helper.made).toHaveLength(MANY + 2);
		expect(helper.alive).toHaveLength(MANY);
	});

	test("makes no object for a pick: each endpoint has its own", async () => {
		const { helper } = await balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		helper.allReady();
		await helper.clock.advance(100);
		const [picks, picked] = [new Set<unknown>(), new Set<unknown>()];
		for (let i = 0; i < 20_000; i++) {
			const call = { ...anyCall, hashKey: `${i % 20_000}` };
			const pick = helper.pick(call);
			if (pick.kind !== "subchannel") throw new Error("all are ready");
			picks.add(pick);
			picked.add(pick.subchannel);
		}
		expect(picked.size).toBeGreaterThan(1000);
		expect(picks.size).toBe(picked.size);
	});
});

test.each([
	["round_robin", roundRobin],
	["least_request", leastRequest],
])(
	"%s makes few pickers while 10,000 endpoints come up one by one, and every call has an endpoint",
	async (_, factory) => {
		const { helper } = await balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		const pickers = new Set<unknown>();
		for (const subchannel of helper.made) {
			if (subchannel.state === "connecting") subchannel.becomes("ready");
			pickers.add(helper.picker);
			expect(helper.pick({ hashKey: "one" }).kind).not.toBe("fail");
		}
		expect(pickers.size).toBeLessThan(500);
		await helper.clock.advance(100);
		expect(helper.clock.pending).toBe(0);
	},
);

describe.each<[string, BalancerFactory, string?]>([
	["round_robin", roundRobin],
	["least_request", leastRequest],
	["zone preference", preferZone(leastRequest, "zone-0"), "zone-0"],
])("%s, while it takes over 10,000 endpoints", (_, factory, zone) => {
	const called = (endpoints: readonly Endpoint[]): Endpoint["address"][] =>
		endpoints
			.filter((endpoint) => zone === undefined || endpoint.zone === zone)
			.map(({ address }) => address)
			.toSorted();

	test("makes and shuts down few in a turn of the event loop, and those that stand get calls", async () => {
		const { helper, balancer } = await balancing(factory, list(0).slice(0, 30));
		helper.random = seeded(2);
		helper.allReady();
		const others = list(0).slice(15);
		balancer.update(others);
		expect(helper.made.length).toBeLessThan(1000);
		const picked = new Set(Array.from({ length: 500 }, () => helper.next()));
		expect([...picked].toSorted()).toEqual(called(list(0).slice(0, 30)));
		await helper.clock.advance(0);
		expect(helper.alive).toHaveLength(others.length);
		expect(helper.alive).not.toContain(list(0)[0]?.address);
		helper.allReady();
		await helper.clock.advance(100);
		balancer.close();
		expect(helper.alive.length).toBeGreaterThan(MANY - 1000);
		await helper.clock.advance(0);
		expect(helper.alive).toHaveLength(0);
		expect(helper.clock.pending).toBe(0);
	});

	test("an update that comes meanwhile takes the place of the one before", async () => {
		const { helper, balancer } = await balancing(factory, list(0).slice(0, 3));
		helper.allReady();
		balancer.update(list(1));
		balancer.update(list(0).slice(1, 5));
		await helper.clock.advance(0);
		const wanted = list(0).slice(1, 5);
		expect(helper.alive.toSorted()).toEqual(
			wanted.map(({ address }) => address).toSorted(),
		);
		helper.allReady();
		await helper.clock.advance(100);
		const picked = new Set(Array.from({ length: 99 }, () => helper.next()));
		expect([...picked].toSorted()).toEqual(called(wanted));
		balancer.update(list(0).slice(0, 500));
		balancer.update(list(0).slice(2, 5));
		await helper.clock.advance(0);
		expect(helper.alive).toHaveLength(3);
	});

	test("none is failed before all have been tried", async () => {
		const helper = new FakeBalancerHelper();
		const balancer = factory(helper);
		balancer.update(list(0));
		for (const subchannel of [...helper.made]) subchannel.fails("refused");
		expect(helper.next()).toBe("wait");
		await helper.clock.advance(0);
		expect(helper.next()).toBe("wait");
		for (const subchannel of helper.made) {
			if (subchannel.state === "connecting") subchannel.fails("refused");
		}
		expect(helper.next()).toBe("fail: refused");
	});
});

test("ring_hash goes by the ring that stands until the new one is there", async () => {
	const { helper, balancer } = await balancing(ringHash, list(0).slice(0, 30));
	for (const subchannel of helper.made) subchannel.connect();
	helper.allReady();
	const key = { hashKey: "one" };
	const before = helper.next(key);
	balancer.update(list(1));
	expect(helper.made.length).toBeLessThan(1000);
	expect(helper.next(key)).toBe(before);
	balancer.update(list(0));
	for (const subchannel of helper.made) {
		if (subchannel.state === "ready") subchannel.becomes("idle");
	}
	expect(helper.next(key)).toBe("wait");
	await helper.clock.advance(0);
	expect(helper.alive).toHaveLength(MANY);
	helper.pick(key);
	helper.allReady();
	expect(helper.next(key)).not.toBe("wait");
});

test.each([
	["round_robin", roundRobin],
	["least_request", leastRequest],
])(
	"%s makes few pickers while 10,000 endpoints are lost one by one",
	async (_, factory) => {
		const { helper } = await balancing(factory);
		helper.allReady();
		await helper.clock.advance(100);
		const pickers = new Set<unknown>();
		for (const subchannel of helper.made) {
			if (subchannel.state === "ready") subchannel.becomes("idle");
			pickers.add(helper.picker);
		}
		expect(pickers.size).toBeLessThan(500);
		expect(helper.next()).toBe("wait");
	},
);
