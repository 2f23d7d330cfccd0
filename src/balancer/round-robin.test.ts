import { describe, expect, test } from "vitest";
import {
	endpoints,
	FakeBalancerHelper,
	tried,
} from "../../testdata/harness/fake-balancer-helper.ts";
import type { Balancer } from "./balancer.ts";
import { roundRobin } from "./round-robin.ts";

function balancing(...addresses: string[]): {
	helper: FakeBalancerHelper;
	balancer: Balancer;
} {
	const helper = new FakeBalancerHelper();
	const balancer = roundRobin(helper);
	balancer.update(endpoints(...addresses));
	return { helper, balancer };
}

/** Where the next calls go. */
function calls(helper: FakeBalancerHelper, count: number): string[] {
	return Array.from({ length: count }, () => helper.next());
}

test("connects to every endpoint at once", () => {
	const { helper } = balancing("a:1", "b:1", "c:1");
	expect(helper.made.map(({ state }) => state)).toEqual([
		"connecting",
		"connecting",
		"connecting",
	]);
	expect(helper.states).toEqual(["connecting"]);
	expect(helper.next()).toBe("wait");
});

test("connects once to an endpoint that is given twice", () => {
	const { helper } = balancing("a:1", "a:1");
	expect(helper.made).toHaveLength(1);
});

test("gives calls to those that are ready, in turn", () => {
	const { helper } = balancing("a:1", "b:1", "c:1");
	helper.of("a:1").becomes("ready");
	expect(helper.states).toEqual(["connecting", "ready"]);
	expect(calls(helper, 2)).toEqual(["a:1", "a:1"]);
	helper.of("c:1").becomes("ready");
	expect(calls(helper, 4)).toEqual(["a:1", "c:1", "a:1", "c:1"]);
	helper.of("b:1").becomes("ready");
	expect(calls(helper, 6)).toEqual(["a:1", "b:1", "c:1", "a:1", "b:1", "c:1"]);
});

test("begins anywhere, so that many clients do not begin at the same endpoint", () => {
	const { helper } = balancing("a:1", "b:1", "c:1");
	helper.random = () => 0.5;
	for (const { endpoint } of helper.made) {
		helper.of(String(endpoint.address)).becomes("ready");
	}
	expect(calls(helper, 4)).toEqual(["b:1", "c:1", "a:1", "b:1"]);
	helper.random = () => 0.999;
	helper.of("a:1").fails("gone");
	expect(calls(helper, 3)).toEqual(["c:1", "b:1", "c:1"]);
});

test("a picker is a snapshot: one that was published before knows nothing of what came after", () => {
	const { helper } = balancing("a:1", "b:1");
	helper.of("a:1").becomes("ready");
	const before = helper.picker;
	helper.of("b:1").becomes("ready");
	expect(helper.picker).not.toBe(before);
});

describe("weights", () => {
	const weighted = (...weights: number[]): FakeBalancerHelper => {
		const helper = new FakeBalancerHelper();
		const balancer = roundRobin(helper);
		balancer.update(
			weights.map((weight, i) => ({ address: `${"abc"[i]}:1`, weight })),
		);
		helper.allReady();
		return helper;
	};

	test("that differ are shares of the turns, exactly (A58)", () => {
		const helper = weighted(3, 2, 1);
		const turns = calls(helper, 600);
		const count = (address: string): number =>
			turns.filter((turn) => turn === address).length;
		expect([count("a:1"), count("b:1"), count("c:1")]).toEqual([300, 200, 100]);
	});

	test("that differ are spread: no run of the heaviest is longer than its share", () => {
		const turns = calls(weighted(2, 1, 1), 100).join(" ");
		expect(turns).not.toContain("a:1 a:1 a:1");
	});

	test("that are equal are plain turns", () => {
		expect(calls(weighted(5, 5, 5), 4)).toEqual(["a:1", "b:1", "c:1", "a:1"]);
	});

	test("of an endpoint that stays change without a new connection", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		helper.allReady();
		balancer.update([{ address: "a:1", weight: 3 }, { address: "b:1" }]);
		expect(helper.made.map(({ attempts }) => attempts)).toEqual([1, 1]);
		expect(calls(helper, 40).filter((turn) => turn === "a:1")).toHaveLength(30);
	});

	test("of 0 keep an endpoint from calls and connections, unless all have it", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		balancer.update([{ address: "a:1", weight: 0 }, { address: "b:1" }]);
		expect(helper.alive).toEqual(["b:1"]);
		balancer.update([{ address: "b:1", weight: 0 }]);
		expect(helper.alive).toEqual(["b:1"]);
	});
});

describe("a call that is tried again", () => {
	test.each([1, 3])(
		"goes to an endpoint that it has not tried, with weights 1 and %d",
		(weight) => {
			const { helper, balancer } = balancing("a:1", "b:1", "c:1");
			balancer.update([
				{ address: "a:1", weight },
				{ address: "b:1" },
				{ address: "c:1" },
			]);
			helper.allReady();
			const [a, b] = [helper.of("a:1"), helper.of("b:1")];
			for (let i = 0; i < 20; i++) {
				expect(helper.next(tried(a))).not.toBe("a:1");
				expect(helper.next(tried(a, b))).toBe("c:1");
			}
		},
	);

	test("goes on with any when it has tried all", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.allReady();
		expect(helper.next(tried(...helper.made))).toMatch(/^[ab]:1$/);
	});
});

describe("an endpoint that is taken out while its connection lives", () => {
	test("gets no calls, and gets them again when it is back, over the same connection", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.allReady();
		helper.of("a:1").fails("ejected");
		expect(calls(helper, 3)).toEqual(["b:1", "b:1", "b:1"]);
		helper.of("a:1").becomes("ready");
		expect(new Set(calls(helper, 2))).toEqual(new Set(["a:1", "b:1"]));
		expect(helper.of("a:1").attempts).toBe(1);
	});

	test("if it is the only one, fails calls with the reason", () => {
		const { helper } = balancing("a:1");
		helper.allReady();
		helper.of("a:1").fails("ejected");
		expect(helper.next()).toBe("fail: ejected");
		helper.of("a:1").becomes("ready");
		expect(helper.next()).toBe("a:1");
	});
});

describe("a lost connection", () => {
	test("is made again at once, and its endpoint gets no calls meanwhile", () => {
		const { helper } = balancing("a:1", "b:1");
		for (const subchannel of helper.made) subchannel.becomes("ready");
		helper.of("a:1").becomes("idle");
		expect(helper.of("a:1").state).toBe("connecting");
		expect(helper.of("a:1").attempts).toBe(2);
		expect(calls(helper, 3)).toEqual(["b:1", "b:1", "b:1"]);
		helper.of("a:1").becomes("ready");
		expect(new Set(calls(helper, 2))).toEqual(new Set(["a:1", "b:1"]));
	});

	test("of the only endpoint makes calls wait", () => {
		const { helper } = balancing("a:1");
		helper.of("a:1").becomes("ready");
		helper.of("a:1").becomes("idle");
		expect(helper.states.at(-1)).toBe("connecting");
		expect(helper.next()).toBe("wait");
	});
});

describe("failure", () => {
	test("is only reported when every endpoint has failed, with the last error", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.of("a:1").fails("a refused");
		expect(helper.next()).toBe("wait");
		helper.of("b:1").fails("b refused");
		expect(helper.states.at(-1)).toBe("transientFailure");
		expect(helper.next()).toBe("fail: b refused");
	});

	test("lasts until a connection is ready, through all attempts", () => {
		const { helper } = balancing("a:1");
		helper.of("a:1").fails("refused");
		helper.of("a:1").becomes("idle");
		expect(helper.of("a:1").state).toBe("connecting");
		expect(helper.states.at(-1)).toBe("transientFailure");
		expect(helper.next()).toBe("fail: refused");
		helper.of("a:1").fails("refused again");
		expect(helper.next()).toBe("fail: refused again");
		helper.of("a:1").becomes("idle");
		helper.of("a:1").becomes("ready");
		expect(helper.states.at(-1)).toBe("ready");
		helper.of("a:1").becomes("idle");
		expect(helper.next()).toBe("wait");
	});

	test("is reported though no two endpoints are in backoff at the same time (A48)", () => {
		const { helper } = balancing("a:1", "b:1");
		helper.of("a:1").fails("a refused");
		helper.of("a:1").becomes("idle");
		helper.of("b:1").fails("b refused");
		expect(helper.of("a:1").state).toBe("connecting");
		expect(helper.states.at(-1)).toBe("transientFailure");
	});

	test("is over when the resolver names an endpoint that has not been tried", () => {
		const { helper, balancer } = balancing("a:1");
		helper.of("a:1").fails("refused");
		balancer.update(endpoints("b:1"));
		expect(helper.states.at(-1)).toBe("connecting");
		expect(helper.next()).toBe("wait");
	});

	test("of one endpoint takes only that one out", () => {
		const { helper } = balancing("a:1", "b:1");
		for (const subchannel of helper.made) subchannel.becomes("ready");
		helper.of("a:1").becomes("idle");
		helper.of("a:1").fails("refused");
		expect(helper.states.at(-1)).toBe("ready");
		expect(calls(helper, 2)).toEqual(["b:1", "b:1"]);
	});
});

describe("an update", () => {
	test("keeps the connections to those that stay, shuts down those that go, connects to those that come", () => {
		const { helper, balancer } = balancing("a:1", "b:1");
		for (const subchannel of helper.made) subchannel.becomes("ready");
		const stays = helper.of("b:1");
		balancer.update(endpoints("b:1", "c:1"));
		expect(helper.of("a:1").state).toBe("shutdown");
		expect(helper.of("b:1")).toBe(stays);
		expect(stays.attempts).toBe(1);
		expect(helper.of("c:1").state).toBe("connecting");
		expect(helper.states.at(-1)).toBe("ready");
		expect(calls(helper, 2)).toEqual(["b:1", "b:1"]);
		helper.of("c:1").becomes("ready");
		expect(calls(helper, 4)).toEqual(["b:1", "c:1", "b:1", "c:1"]);
	});

	test("that only changes weights keeps every connection", () => {
		const { helper, balancer } = balancing("a:1");
		balancer.update([{ address: "a:1", weight: 7, zone: "b" }]);
		expect(helper.made).toHaveLength(1);
	});

	test("leaves the backoff of a failed endpoint alone", () => {
		const { helper, balancer } = balancing("a:1");
		helper.of("a:1").fails("refused");
		balancer.update(endpoints("a:1"));
		expect(helper.made).toHaveLength(1);
		expect(helper.of("a:1").attempts).toBe(1);
		expect(helper.next()).toBe("fail: refused");
	});

	test("to other endpoints throughout leaves none of the old ones to pick", () => {
		const { helper, balancer } = balancing("a:1");
		helper.of("a:1").becomes("ready");
		balancer.update(endpoints("b:1"));
		expect(helper.alive).toEqual(["b:1"]);
		expect(helper.next()).toBe("wait");
	});
});

test("what a subchannel that has gone still says changes nothing", () => {
	const { helper, balancer } = balancing("a:1", "b:1");
	const old = helper.of("a:1");
	balancer.update(endpoints("b:1"));
	old.becomes("ready");
	expect(helper.states).toEqual(["connecting"]);
	expect(helper.next()).toBe("wait");
});

test("what becomes of an endpoint that has no calls anyway makes no new picker", () => {
	const { helper } = balancing("a:1", "b:1");
	helper.of("a:1").becomes("ready");
	const { picker } = helper;
	helper.of("b:1").fails("refused");
	helper.of("b:1").becomes("idle");
	expect(helper.picker).toBe(picker);
});

test("closing shuts down every subchannel and publishes nothing more", () => {
	const { helper, balancer } = balancing("a:1", "b:1");
	helper.of("a:1").becomes("ready");
	const { picker } = helper;
	balancer.close();
	expect(helper.alive).toEqual([]);
	expect(helper.picker).toBe(picker);
});
