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

/** In milliseconds. */
function took(action: () => void): number {
	const before = performance.now();
	action();
	return performance.now() - before;
}

describe.each<[string, BalancerFactory]>([
	["round_robin", roundRobin],
	["least_request", leastRequest],
	["ring_hash", ringHash],
	["zone preference", preferZone(leastRequest, "zone-0")],
])("%s over 10,000 endpoints", (_, factory) => {
	test("takes at most 5 ms for an update of one among them", () => {
		const { helper, balancer } = balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		helper.allReady();
		// The fastest of several: how busy the machine is, is not what is asked.
		const times = Array.from({ length: 20 }, (_, i) => {
			const endpoints = list(i + 1);
			return took(() => balancer.update(endpoints));
		});
		expect(Math.min(...times)).toBeLessThan(5);
		expect(helper.made).toHaveLength(MANY + 2 * times.length);
	});

	test("lets them come up one by one, with a call after each, in no time", () => {
		const { helper } = balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		const ms = took(() => {
			for (const subchannel of helper.made) {
				if (subchannel.state === "connecting") subchannel.becomes("ready");
				helper.pick();
			}
		});
		// Seconds less than the connections themselves take.
		expect(ms).toBeLessThan(10_000);
	});

	test("makes no object for a pick: each endpoint has its own", () => {
		const { helper } = balancing(factory);
		for (const subchannel of helper.made) subchannel.connect();
		helper.allReady();
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
