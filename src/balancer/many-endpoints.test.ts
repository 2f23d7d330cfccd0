import { describe, expect, test } from "vitest";
import {
	anyCall,
	FakeBalancerHelper,
} from "../../testdata/harness/fake-balancer-helper.ts";
import { seeded } from "../../testdata/harness/seeded.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import type { Balancer, BalancerFactory } from "./balancer.ts";
import { leastRequest } from "./least-request.ts";
import { ringHash } from "./ring-hash.ts";
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

function balancing(factory: BalancerFactory): {
	helper: FakeBalancerHelper;
	balancer: Balancer;
} {
	const helper = new FakeBalancerHelper();
	helper.random = seeded(1);
	const balancer = factory(helper);
	balancer.update(list(0));
	return { helper, balancer };
}

describe.each<[string, BalancerFactory]>([
	["round_robin", roundRobin],
	["least_request", leastRequest],
	["ring_hash", ringHash],
	["zone preference", preferZone(leastRequest, "zone-0")],
])("%s over 10,000 endpoints", (_, factory) => {
	test("an update of one among them touches no other", () => {
		const { helper, balancer } = balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		helper.allReady();
		balancer.update(list(1));
		// In either list one is not the usual one.
		expect(helper.made).toHaveLength(MANY + 2);
		expect(helper.alive).toHaveLength(MANY);
	});

	test("makes no object for a pick: each endpoint has its own", async () => {
		const { helper } = balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		helper.allReady();
		await helper.clock.advance(10);
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
		const { helper } = balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		const pickers = new Set<unknown>();
		for (const subchannel of helper.made) {
			if (subchannel.state === "connecting") subchannel.becomes("ready");
			pickers.add(helper.picker);
			expect(helper.pick({ hashKey: "one" }).kind).not.toBe("fail");
		}
		expect(pickers.size).toBeLessThan(500);
		await helper.clock.advance(10);
		expect(helper.clock.pending).toBe(0);
	},
);
