import { describe, expect, test } from "vitest";
import {
	endpoints,
	FakeBalancerHelper,
} from "../../testdata/harness/fake-balancer-helper.ts";
import type { Balancer } from "./balancer.ts";
import { pickFirst } from "./pick-first.ts";

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
