import { describe, expect, test } from "vitest";
import {
	endpoints,
	FakeBalancerHelper,
} from "../../testdata/harness/fake-balancer-helper.ts";
import { seeded } from "../../testdata/harness/seeded.ts";
import type { Balancer } from "./balancer.ts";
import { pickFirst, pickFirstWith, readPickFirstConfig } from "./pick-first.ts";

function balancing(...addresses: string[]): {
	helper: FakeBalancerHelper;
	balancer: Balancer;
} {
	const helper = new FakeBalancerHelper();
	const balancer = pickFirst(helper);
	balancer.update(endpoints(...addresses));
	return { helper, balancer };
}

test("connects to the first endpoint, and to it only", () => {
	const { helper } = balancing("a:1", "b:1", "c:1");
	expect(helper.alive).toEqual(["a:1"]);
	expect(helper.of("a:1").state).toBe("connecting");
	expect(helper.states).toEqual(["connecting"]);
	expect(helper.next()).toBe("wait");
});

test("gives every call to the endpoint that has connected", () => {
	const { helper } = balancing("a:1", "b:1");
	helper.of("a:1").becomes("ready");
	expect(helper.states).toEqual(["connecting", "ready"]);
	expect([helper.next(), helper.next()]).toEqual(["a:1", "a:1"]);
});

test("tries the endpoints in their order, and drops the others once one has connected", () => {
	const { helper } = balancing("a:1", "b:1", "c:1");
	helper.of("a:1").fails("a refused");
	expect(helper.of("b:1").state).toBe("connecting");
	expect(helper.next()).toBe("wait");
	helper.of("b:1").becomes("ready");
	expect(helper.alive).toEqual(["b:1"]);
	expect(helper.next()).toBe("b:1");
});

describe("while an endpoint connects (A61)", () => {
	test("the next is tried after 250 ms, and the first goes on", async () => {
		const { helper } = balancing("a:1", "b:1", "c:1");
		await helper.clock.advance(249);
		expect(helper.alive).toEqual(["a:1"]);
		await helper.clock.advance(1);
		expect(helper.made.map(({ state }) => state)).toEqual([
			"connecting",
			"connecting",
		]);
		await helper.clock.advance(250);
		expect(helper.alive).toEqual(["a:1", "b:1", "c:1"]);
		expect(helper.clock.pending).toBe(0);
		expect(helper.states).toEqual(["connecting"]);
	});

	test("whichever connects first is chosen, and the others are given up", async () => {
		const { helper } = balancing("a:1", "b:1", "c:1");
		await helper.clock.advance(250);
		helper.of("a:1").becomes("ready");
		expect(helper.alive).toEqual(["a:1"]);
		await helper.clock.advance(1000);
		expect(helper.alive).toEqual(["a:1"]);
	});

	test("a failure does not wait for the 250 ms, and the next has them anew", async () => {
		const { helper } = balancing("a:1", "b:1", "c:1");
		await helper.clock.advance(200);
		helper.of("a:1").fails("refused");
		expect(helper.alive).toEqual(["a:1", "b:1"]);
		await helper.clock.advance(249);
		expect(helper.alive).toEqual(["a:1", "b:1"]);
		await helper.clock.advance(1);
		expect(helper.of("c:1").state).toBe("connecting");
	});

	test("the failure of an earlier endpoint does not hurry the later ones", async () => {
		const { helper } = balancing("a:1", "b:1", "c:1");
		await helper.clock.advance(300);
		helper.of("a:1").fails("refused");
		expect(helper.alive).toEqual(["a:1", "b:1"]);
	});

	test("failure is reported when all have failed, in whatever order", async () => {
		const { helper } = balancing("a:1", "b:1");
		await helper.clock.advance(250);
		helper.of("b:1").fails("b refused");
		expect(helper.states).toEqual(["connecting"]);
		helper.of("a:1").fails("a timed out");
		expect(helper.next()).toBe("fail: a timed out");
	});

	test("an endpoint whose last attempt failed before its turn still has it", async () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		helper.of("a:1").fails("refused");
		balancer.update(endpoints("x:1", "a:1", "b:1"));
		helper.of("b:1").fails("refused");
		helper.of("b:1").becomes("idle");
		helper.of("a:1").becomes("idle");
		helper.of("x:1").fails("refused");
		await helper.clock.advance(250);
		helper.of("a:1").fails("refused again");
		expect(helper.of("b:1").state).toBe("connecting");
		expect(helper.states).toEqual(["connecting"]);
	});

	test("closing leaves no timer", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		expect(helper.clock.pending).toBe(1);
		balancer.close();
		expect(helper.clock.pending).toBe(0);
	});

	test("an endpoint in backoff has had its turn: the next begins at once", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		helper.of("a:1").fails("refused");
		balancer.update(endpoints("a:1", "c:1", "b:1"));
		expect(helper.of("c:1").state).toBe("connecting");
	});
});

describe("the chosen endpoint, taken out while its connection lives", () => {
	test("has the others tried, and keeps its connection meanwhile", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.of("a:1").becomes("ready");
		helper.of("a:1").fails("ejected");
		expect(helper.alive).toEqual(["a:1", "b:1"]);
		expect(helper.next()).toBe("wait");
		helper.of("b:1").becomes("ready");
		expect(helper.alive).toEqual(["b:1"]);
		expect(helper.next()).toBe("b:1");
	});

	test("is chosen again if it is put back before another has connected", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.of("a:1").becomes("ready");
		helper.of("a:1").fails("ejected");
		helper.of("a:1").becomes("ready");
		expect(helper.alive).toEqual(["a:1"]);
		expect(helper.next()).toBe("a:1");
		expect(helper.of("a:1").attempts).toBe(1);
	});

	test("if there is no other, fails calls with the reason until it is put back", () => {
		const { helper } = balancing("a:1");
		helper.of("a:1").becomes("ready");
		helper.of("a:1").fails("unhealthy");
		expect(helper.next()).toBe("fail: unhealthy");
		helper.of("a:1").becomes("ready");
		expect(helper.next()).toBe("a:1");
	});

	test("and losing that connection then, is connected to again when all others fail", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.of("a:1").becomes("ready");
		helper.of("a:1").fails("ejected");
		helper.of("a:1").becomes("idle");
		expect(helper.of("a:1").state).toBe("idle");
		helper.of("b:1").fails("refused");
		expect(helper.of("a:1").state).toBe("connecting");
	});
});

describe("shuffleAddressList (A62)", () => {
	const firstOf = (seed: number, weight: number): unknown => {
		const helper = new FakeBalancerHelper();
		helper.random = seeded(seed);
		const balancer = pickFirstWith({ shuffleAddressList: true })(helper);
		balancer.update([{ address: "a:1", weight }, ...endpoints("b:1", "c:1")]);
		return helper.made[0]?.endpoint.address;
	};
	const shareOfA = (weight: number): number => {
		const firsts = Array.from({ length: 2000 }, (_, i) =>
			firstOf(i * 7919 + 1, weight),
		);
		return firsts.filter((first) => first === "a:1").length / 2000;
	};

	test("puts each new list in random order", () => {
		expect(shareOfA(1)).toBeGreaterThan(0.28);
		expect(shareOfA(1)).toBeLessThan(0.39);
	});

	test("puts heavy endpoints in front by their weight (A113)", () => {
		expect(shareOfA(8)).toBeGreaterThan(0.75);
		expect(shareOfA(8)).toBeLessThan(0.85);
	});

	test("leaves a connection alone", () => {
		const helper = new FakeBalancerHelper();
		helper.random = seeded(1);
		const balancer = pickFirstWith({ shuffleAddressList: true })(helper);
		const list = endpoints("a:1", "b:1", "c:1");
		balancer.update(list);
		helper.made[0]?.becomes("ready");
		const [before] = helper.alive;
		for (let i = 0; i < 10; i++) balancer.update(list);
		expect(helper.alive).toEqual([before]);
	});

	test.each([
		[{}, false],
		[{ shuffleAddressList: true }, true],
		[{ shuffle_address_list: false }, false],
	])("in %j is %s", (config, shuffleAddressList) => {
		expect(readPickFirstConfig(config, "c")).toEqual({ shuffleAddressList });
	});

	test("must be true or false", () => {
		expect(() => readPickFirstConfig({ shuffleAddressList: 1 }, "c")).toThrow(
			"c.shuffleAddressList: 1 is not true or false",
		);
	});
});

describe("failure", () => {
	test("is reported behind the last endpoint, with the last error", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.of("a:1").fails("a refused");
		helper.of("b:1").fails("b refused");
		expect(helper.states).toEqual(["connecting", "transientFailure"]);
		expect(helper.next()).toBe("fail: b refused");
	});

	test("goes on with every endpoint as its backoff ends, until one is ready", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.of("a:1").fails("a refused");
		helper.of("b:1").fails("b refused");
		helper.of("a:1").becomes("idle");
		expect(helper.of("a:1").attempts).toBe(2);
		expect(helper.next()).toBe("fail: b refused");
		helper.of("a:1").fails("a refused again");
		expect(helper.next()).toBe("fail: a refused again");
		helper.of("b:1").becomes("idle");
		helper.of("b:1").becomes("ready");
		expect(helper.states.at(-1)).toBe("ready");
		expect(helper.next()).toBe("b:1");
		expect(helper.alive).toEqual(["b:1"]);
	});

	test("comes after one round, though the first backoff ends before the last attempt", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.of("a:1").fails("a refused");
		helper.of("a:1").becomes("idle");
		expect(helper.of("a:1").attempts).toBe(1);
		helper.of("b:1").fails("b timed out");
		expect(helper.states.at(-1)).toBe("transientFailure");
		expect(helper.of("a:1").attempts).toBe(2);
	});
});

describe("a lost connection", () => {
	test("makes it idle: the next call connects, from the first endpoint on", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		helper.of("a:1").fails("refused");
		helper.of("b:1").becomes("ready");
		helper.of("b:1").becomes("idle");
		expect(helper.states.at(-1)).toBe("idle");
		expect(helper.next()).toBe("wait");
		expect(helper.alive).toEqual([]);
		balancer.exitIdle();
		expect(helper.states.at(-1)).toBe("connecting");
		expect(helper.alive).toEqual(["a:1"]);
		expect(helper.of("a:1").attempts).toBe(1);
	});

	test("is not made again by an update: there may be no call to come", () => {
		const { helper, balancer } = balancing("a:1");
		helper.of("a:1").becomes("ready");
		helper.of("a:1").becomes("idle");
		balancer.update(endpoints("b:1"));
		expect(helper.states.at(-1)).toBe("idle");
		expect(helper.alive).toEqual([]);
		balancer.exitIdle();
		expect(helper.alive).toEqual(["b:1"]);
	});
});

describe("an update", () => {
	test("that keeps the chosen endpoint keeps its connection, wherever it stands now", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		helper.of("a:1").becomes("ready");
		balancer.update(endpoints("c:1", "b:1", "a:1"));
		expect(helper.alive).toEqual(["a:1"]);
		expect(helper.next()).toBe("a:1");
		expect(helper.made).toHaveLength(1);
	});

	test("without the chosen endpoint begins with the first", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		helper.of("a:1").becomes("ready");
		balancer.update(endpoints("b:1", "c:1"));
		expect(helper.of("a:1").state).toBe("shutdown");
		expect(helper.alive).toEqual(["b:1"]);
		expect(helper.states.at(-1)).toBe("connecting");
		expect(helper.next()).toBe("wait");
	});

	test("during an attempt to an endpoint that stays lets that go on", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		balancer.update(endpoints("a:1", "c:1"));
		expect(helper.made).toHaveLength(1);
		expect(helper.of("a:1").attempts).toBe(1);
		helper.of("a:1").fails("refused");
		expect(helper.of("c:1").state).toBe("connecting");
	});

	test("goes by the new order, however far the old one had come", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		helper.of("a:1").fails("refused");
		balancer.update(endpoints("c:1", "b:1"));
		expect(helper.of("c:1").state).toBe("connecting");
		helper.of("c:1").fails("refused");
		helper.of("b:1").fails("refused");
		expect(helper.states.at(-1)).toBe("transientFailure");
	});

	test("leaves the backoff of the endpoints that stay alone", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		helper.of("a:1").fails("a refused");
		helper.of("b:1").fails("b refused");
		for (let i = 0; i < 3; i++) balancer.update(endpoints("a:1", "b:1"));
		expect(helper.made.map(({ attempts }) => attempts)).toEqual([1, 1]);
		expect(helper.next()).toBe("fail: b refused");
	});

	test("after failure tries what is new, and reports failure until that is ready", () => {
		const { helper, balancer } = balancing("a:1");
		helper.of("a:1").fails("refused");
		balancer.update(endpoints("a:1", "b:1"));
		expect(helper.of("b:1").state).toBe("connecting");
		expect(helper.next()).toBe("fail: refused");
		helper.of("b:1").becomes("ready");
		expect(helper.next()).toBe("b:1");
	});
});

test("what a dropped subchannel still says changes nothing", () => {
	const { helper, balancer } = balancing("a:1");
	const old = helper.of("a:1");
	balancer.update(endpoints("b:1"));
	old.becomes("ready");
	expect(helper.states).toEqual(["connecting"]);
	expect(helper.next()).toBe("wait");
});

test("closing shuts down every subchannel", () => {
	const { helper, balancer } = balancing("a:1", "b:1");
	helper.of("a:1").fails("refused");
	balancer.close();
	expect(helper.alive).toEqual([]);
});
