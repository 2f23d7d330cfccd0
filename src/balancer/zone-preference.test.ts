import { describe, expect, test } from "vitest";
import {
	FakeBalancerHelper,
	type FakeSubchannel,
	tried,
} from "../../testdata/harness/fake-balancer-helper.ts";
import { seeded } from "../../testdata/harness/seeded.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import type { Balancer, BalancerFactory } from "./balancer.ts";
import { failPicker } from "./fixed-picker.ts";
import { pickFirst } from "./pick-first.ts";
import { ringHash } from "./ring-hash/ring-hash.ts";
import { roundRobin } from "./round-robin.ts";
import { preferZone } from "./zone-preference.ts";

/** So many endpoints of a zone: `zone-0:1` and so on. */
function zone(name: string, count: number, weight?: number): Endpoint[] {
	return Array.from({ length: count }, (_, i) => ({
		address: `${name}-${i}:1`,
		zone: name,
		weight,
	}));
}

class Scene {
	readonly helper = new FakeBalancerHelper();
	readonly balancer: Balancer;

	constructor(given: readonly Endpoint[], child: BalancerFactory = roundRobin) {
		this.helper.random = seeded(5);
		this.balancer = preferZone(child, "here")(this.helper);
		this.balancer.update(given);
	}

	ready(): this {
		this.helper.allReady();
		return this;
	}

	/** The share of calls that stay here. */
	share(): number {
		const calls = 4000;
		let here = 0;
		for (let i = 0; i < calls; i++) {
			if (this.helper.next().startsWith("here")) here += 1;
		}
		return here / calls;
	}

	subchannels(zone: string): FakeSubchannel[] {
		return this.helper.made.filter(
			({ endpoint, state }) => endpoint.zone === zone && state !== "shutdown",
		);
	}
}

describe("calls", () => {
	test("stay in the zone while it can serve them", () => {
		const scene = new Scene([...zone("here", 3), ...zone("there", 3)]).ready();
		expect(scene.share()).toBe(1);
	});

	test("stay in the zone while it lacks no more than 28 % of its share", () => {
		const scene = new Scene([...zone("here", 8), ...zone("there", 10)]);
		scene.ready();
		expect(scene.share()).toBe(1);
	});

	test("spill over when the zone is too small: they stay with 1.4 × its part of a zone's share", () => {
		const all = [...zone("here", 2), ...zone("there", 14), ...zone("far", 14)];
		const scene = new Scene(all).ready();
		// 30 endpoints in 3 zones: each has to serve 10.
		expect(scene.share()).toBeCloseTo((1.4 * 2) / 10, 1);
	});

	test("spill over when the zone is unhealthy, and come back", () => {
		const scene = new Scene([...zone("here", 4), ...zone("there", 4)]).ready();
		const sick = scene.subchannels("here").slice(1);
		for (const subchannel of sick) subchannel.fails("ejected");
		expect(scene.share()).toBeCloseTo(1.4 / 4, 1);
		for (const subchannel of sick) subchannel.becomes("ready");
		expect(scene.share()).toBe(1);
	});

	test("spill over while connections that were lost are made again", () => {
		const scene = new Scene([...zone("here", 4), ...zone("there", 4)]).ready();
		const lost = scene.subchannels("here").slice(1);
		for (const subchannel of lost) subchannel.becomes("idle");
		expect(scene.share()).toBeCloseTo(1.4 / 4, 1);
	});

	test("count weights, not endpoints", () => {
		const scene = new Scene([
			...zone("here", 2, 5),
			...zone("there", 10, 1),
		]).ready();
		expect(scene.share()).toBe(1);
		scene.balancer.update([...zone("here", 2, 1), ...zone("there", 10, 1)]);
		expect(scene.helper.made).toHaveLength(12);
		expect(scene.share()).toBeCloseTo((1.4 * 2) / 6, 1);
	});

	test("go to the others while nothing in the zone is ready", () => {
		const scene = new Scene([...zone("here", 2), ...zone("there", 2)]);
		for (const subchannel of scene.subchannels("there")) {
			subchannel.becomes("ready");
		}
		expect(scene.helper.states.at(-1)).toBe("ready");
		expect(scene.share()).toBe(0);
		for (const subchannel of scene.subchannels("here")) {
			subchannel.fails("refused");
		}
		expect(scene.share()).toBe(0);
	});

	test("stay in the zone, however small, while nothing else is ready", () => {
		const scene = new Scene([...zone("here", 1), ...zone("there", 9)]);
		scene.subchannels("here")[0]?.becomes("ready");
		expect(scene.share()).toBe(1);
	});

	test("wait while either may still connect, and fail when neither can", () => {
		const scene = new Scene([...zone("here", 1), ...zone("there", 1)]);
		expect(scene.helper.next()).toBe("wait");
		scene.subchannels("here")[0]?.fails("here is gone");
		expect(scene.helper.next()).toBe("wait");
		expect(scene.helper.states.at(-1)).toBe("connecting");
		scene.subchannels("there")[0]?.fails("there is gone");
		expect(scene.helper.next()).toMatch(/^fail: /);
		scene.subchannels("here")[0]?.becomes("idle");
		expect(scene.helper.states.at(-1)).toBe("transientFailure");
		expect(scene.helper.next()).toMatch(/^fail: (here|there) is gone$/);
	});

	test("with the same hashKey make the same choice", () => {
		const scene = new Scene([...zone("here", 2), ...zone("there", 8)]).ready();
		const goesHere = (hashKey: string): boolean =>
			scene.helper.next({ hashKey }).startsWith("here");
		const keys = Array.from({ length: 1000 }, (_, i) => `user-${i}`);
		const first = keys.map(goesHere);
		expect(keys.map(goesHere)).toEqual(first);
		const share = first.filter(Boolean).length / keys.length;
		expect(share).toBeCloseTo((1.4 * 2) / 5, 1);
	});
});

test("calls wait for the zone when all others have failed", () => {
	const scene = new Scene([...zone("here", 1), ...zone("there", 1)]);
	scene.subchannels("there")[0]?.fails("there is gone");
	expect(scene.helper.next()).toBe("wait");
});

describe("a call that is tried again", () => {
	test("prefers one in the zone that it has not tried, then the others", () => {
		const scene = new Scene([...zone("here", 2), ...zone("there", 2)]).ready();
		const [one, two] = scene.subchannels("here");
		if (!one || !two) throw new Error("there are two");
		for (let i = 0; i < 20; i++) {
			expect(scene.helper.next(tried(one))).toBe("here-1:1");
			expect(scene.helper.next(tried(one, two))).toMatch(/^there/);
		}
		const all = tried(...scene.helper.made);
		expect(scene.helper.next(all)).toMatch(/^here/);
	});
});

describe("without a choice there is one child over all endpoints", () => {
	test.each([
		["in the zone", zone("here", 3)],
		["elsewhere", zone("there", 3)],
		["of no known zone", [{ address: "a:1" }, { address: "b:1" }]],
	])("when all are %s", (_, given) => {
		const scene = new Scene(given).ready();
		const plain = new FakeBalancerHelper();
		plain.random = seeded(5);
		roundRobin(plain).update(given);
		plain.allReady();
		const next = (helper: FakeBalancerHelper): string[] =>
			given.map(() => helper.next()).toSorted();
		expect(next(scene.helper)).toEqual(next(plain));
	});

	test("when the last endpoint of the zone goes, and when one comes again", () => {
		const scene = new Scene([...zone("here", 1), ...zone("there", 2)]).ready();
		scene.balancer.update(zone("there", 2));
		expect(scene.subchannels("here")).toEqual([]);
		expect(scene.share()).toBe(0);
		scene.balancer.update([...zone("here", 1), ...zone("there", 1)]);
		scene.ready();
		expect(scene.share()).toBe(1);
		scene.balancer.update(zone("here", 1));
		expect(scene.subchannels("there")).toEqual([]);
		expect(scene.share()).toBe(1);
	});
});

test("both are kept connected, and an update keeps the connections of those that stay", () => {
	const scene = new Scene([...zone("here", 2), ...zone("there", 2)]).ready();
	scene.balancer.update([...zone("here", 3), ...zone("there", 2)]);
	expect(scene.helper.made.map(({ attempts }) => attempts)).toEqual([
		1, 1, 1, 1, 1,
	]);
});

test("an endpoint whose zone becomes another is connected to anew", () => {
	const scene = new Scene([...zone("here", 2), ...zone("there", 1)]).ready();
	const moved = { address: "here-1:1", zone: "there" };
	scene.balancer.update([...zone("here", 1), moved, ...zone("there", 1)]);
	expect(scene.helper.made).toHaveLength(4);
	expect(scene.helper.alive).toHaveLength(3);
});

test("weights of 0 everywhere leave calls in the zone", () => {
	const scene = new Scene([...zone("here", 1, 0), ...zone("there", 3, 0)]);
	scene.ready();
	expect(scene.share()).toBe(1);
});

describe("in front of policies that connect when they need to", () => {
	test("pick_first's other endpoints count as available", () => {
		const all = [...zone("here", 3), ...zone("there", 3)];
		const scene = new Scene(all, pickFirst).ready();
		expect(scene.share()).toBe(1);
	});

	test("ring_hash's idle endpoints count as available", () => {
		const all = [...zone("here", 3), ...zone("there", 3)];
		const scene = new Scene(all, ringHash);
		expect(scene.helper.states).toEqual(["idle"]);
		expect(scene.helper.next({ hashKey: "k" })).toBe("wait");
		scene.ready();
		expect(scene.helper.next({ hashKey: "k" })).toMatch(/^here/);
	});

	test("idle ones are woken on both sides", () => {
		const all = [...zone("here", 1), ...zone("there", 1)];
		const scene = new Scene(all, pickFirst).ready();
		for (const subchannel of scene.helper.made) subchannel.becomes("idle");
		expect(scene.helper.states.at(-1)).toBe("idle");
		scene.balancer.exitIdle();
		expect(scene.helper.made.map(({ attempts }) => attempts)).toEqual([
			1, 1, 1, 1,
		]);
	});
});

test("a child that says so at its birth is heard", () => {
	const helper = new FakeBalancerHelper();
	const child: BalancerFactory = (lent) => {
		lent.publish("transientFailure", failPicker(new Error("not today")));
		return { update() {}, exitIdle() {}, close() {} };
	};
	preferZone(child, "here")(helper).update(zone("here", 1));
	expect(helper.next()).toBe("fail: not today");
});

test("closing shuts down every subchannel", () => {
	const scene = new Scene([...zone("here", 2), ...zone("there", 2)]).ready();
	scene.balancer.close();
	expect(scene.helper.alive).toEqual([]);
});
