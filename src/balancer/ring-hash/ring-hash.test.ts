import { describe, expect, test } from "vitest";
import {
	anyCall,
	endpoints,
	FakeBalancerHelper,
	tried,
} from "../../../testdata/harness/fake-balancer-helper.ts";
import { seeded } from "../../../testdata/harness/seeded.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import type { Balancer, PickInfo } from "../balancer.ts";
import { ringHash, ringHashWith } from "./ring-hash.ts";
import { type RingHashConfig, readRingHashConfig } from "./ring-hash-config.ts";

function balancing(
	given: readonly Endpoint[],
	config?: Partial<RingHashConfig>,
): { helper: FakeBalancerHelper; balancer: Balancer } {
	const helper = new FakeBalancerHelper();
	helper.random = seeded(7);
	const balancer =
		config === undefined
			? ringHash(helper)
			: ringHashWith({
					minRingSize: 1024,
					maxRingSize: 4096,
					requestHashHeader: undefined,
					...config,
				})(helper);
	balancer.update(given);
	return { helper, balancer };
}

function connectAll(helper: FakeBalancerHelper): void {
	for (const subchannel of helper.made) subchannel.connect();
	helper.allReady();
}

const key = (hashKey: string): Partial<PickInfo> => ({ hashKey });

const KEYS = Array.from({ length: 2000 }, (_, i) => `user-${i}`);

/** Where each of the keys goes. */
function places(helper: FakeBalancerHelper): string[] {
	return KEYS.map((hashKey) => helper.next({ hashKey }));
}

function numbered(count: number): Endpoint[] {
	return endpoints(...Array.from({ length: count }, (_, i) => `10.0.0.${i}:1`));
}

/** A key whose calls go to that endpoint. */
function keyOf(helper: FakeBalancerHelper, address: string): string {
	const found = KEYS.find((hashKey) => helper.next({ hashKey }) === address);
	if (found === undefined) throw new Error(`no key goes to ${address}`);
	return found;
}

describe("calls with the same key", () => {
	test("go to the same endpoint, for every client and in whatever order it was told them", () => {
		const one = balancing(numbered(10));
		const other = balancing(numbered(10).toReversed());
		connectAll(one.helper);
		connectAll(other.helper);
		expect(places(one.helper)).toEqual(places(other.helper));
		expect(places(one.helper)).toEqual(places(one.helper));
	});

	test("stay where they are when an endpoint comes or goes, but for its own", () => {
		const { helper, balancer } = balancing(numbered(10));
		connectAll(helper);
		const before = places(helper);
		balancer.update([...numbered(10), ...endpoints("new:1")]);
		connectAll(helper);
		const after = places(helper);
		const moved = KEYS.filter((_, i) => before[i] !== after[i]).length;
		expect(moved).toBe(after.filter((place) => place === "new:1").length);
		expect(moved).toBeGreaterThan(0);
		balancer.update(numbered(10));
		expect(places(helper)).toEqual(before);
	});

	test("are found by hash_key, not by address, where an endpoint has one (A76)", () => {
		const at = (host: string): Endpoint[] =>
			["x", "y", "z"].map((name) => ({
				address: `${host}-${name}:1`,
				attributes: { hash_key: `pod-${name}` },
			}));
		const one = balancing(at("old"));
		const other = balancing(at("new"));
		connectAll(one.helper);
		connectAll(other.helper);
		expect(places(other.helper)).toEqual(
			places(one.helper).map((place) => place.replace("old", "new")),
		);
	});

	test("go by the first of several addresses (A61)", () => {
		const one = balancing([{ address: ["a:1", "b:1"] }, { address: "c:1" }]);
		const other = balancing(endpoints("a:1", "c:1"));
		connectAll(one.helper);
		connectAll(other.helper);
		expect(places(one.helper)).toEqual(
			places(other.helper).map((place) =>
				place === "a:1" ? "a:1,b:1" : place,
			),
		);
	});
});

describe("the ring", () => {
	const share = (given: readonly Endpoint[], address: string): number => {
		const { helper } = balancing(given, { minRingSize: 4096 });
		connectAll(helper);
		const all = places(helper);
		return all.filter((place) => place === address).length / all.length;
	};

	test("gives endpoints their shares of the keys by weight (ketama)", () => {
		const weighted = [
			{ address: "a:1", weight: 3 },
			{ address: "b:1", weight: 1 },
		];
		expect(share(weighted, "a:1")).toBeCloseTo(0.75, 1);
		expect(share(endpoints("a:1", "b:1", "c:1"), "a:1")).toBeCloseTo(1 / 3, 1);
	});

	test("takes new weights without a new connection", () => {
		const { helper, balancer } = balancing(endpoints("a:1", "b:1"));
		connectAll(helper);
		balancer.update([{ address: "a:1", weight: 9 }, { address: "b:1" }]);
		const atA = places(helper).filter((place) => place === "a:1").length;
		expect(atA / KEYS.length).toBeGreaterThan(0.85);
		expect(helper.made).toHaveLength(2);
		balancer.update(endpoints("a:1", "b:1"));
		const back = places(helper).filter((place) => place === "a:1").length;
		expect(back / KEYS.length).toBeLessThan(0.6);
	});

	test("has a point for every endpoint, though there are more than maxRingSize", () => {
		const { helper } = balancing(numbered(50), {
			minRingSize: 1,
			maxRingSize: 10,
		});
		connectAll(helper);
		expect(new Set(places(helper)).size).toBeGreaterThan(45);
	});

	test("survives endpoints that come and go, over and over", () => {
		const { helper, balancer } = balancing(numbered(5));
		const random = seeded(3);
		for (let i = 0; i < 100; i++) {
			const chosen = numbered(20).filter(() => random() < 0.5);
			if (chosen.length === 0) continue;
			balancer.update(chosen);
			connectAll(helper);
			const fresh = balancing(chosen);
			connectAll(fresh.helper);
			const some = KEYS.slice(0, 50);
			expect(some.map((hashKey) => helper.next({ hashKey }))).toEqual(
				some.map((hashKey) => fresh.helper.next({ hashKey })),
			);
		}
	});
});

describe("the key of a call", () => {
	const header = (value: string | undefined): Partial<PickInfo> => ({
		header: new Headers(value === undefined ? {} : { "x-user": value }),
	});
	const ready = (): FakeBalancerHelper => {
		const { helper } = balancing(numbered(10), {
			requestHashHeader: "x-user",
		});
		connectAll(helper);
		return helper;
	};

	test("is its hashKey, before the header that the config names", () => {
		const helper = ready();
		const place = helper.next(key("user-1"));
		expect(helper.next({ ...header("user-2"), hashKey: "user-1" })).toBe(place);
	});

	test("is the header that the config names (A76)", () => {
		const helper = ready();
		for (const user of KEYS.slice(0, 50)) {
			expect(helper.next(header(user))).toBe(helper.next(key(user)));
		}
	});

	test.each([
		["has no such header", header(undefined)],
		["has an empty header", header("")],
		["has an empty hashKey", key("")],
	])("is random when it %s", (_, call) => {
		const helper = ready();
		const seen = new Set(Array.from({ length: 200 }, () => helper.next(call)));
		expect(seen.size).toBe(10);
	});
});

describe("connects lazily (A42)", () => {
	test("to nothing before there is a call", () => {
		const { helper } = balancing(numbered(3));
		expect(helper.states).toEqual(["idle"]);
		expect(helper.made.every(({ state }) => state === "idle")).toBe(true);
	});

	test("to the endpoint of the call, which waits for it", () => {
		const { helper } = balancing(numbered(3));
		expect(helper.next(key("k"))).toBe("wait");
		const connecting = helper.made.filter(
			({ state }) => state === "connecting",
		);
		expect(connecting).toHaveLength(1);
		expect(helper.states).toEqual(["idle", "connecting"]);
		expect(helper.next(key("k"))).toBe("wait");
		helper.allReady();
		expect(helper.next(key("k"))).toBe(connecting[0]?.endpoint.address);
		expect(helper.made.filter(({ attempts }) => attempts > 0)).toHaveLength(1);
	});

	test("a call without a key takes any that is ready, and has at most one more connected (A76)", () => {
		const { helper } = balancing(numbered(10));
		expect(helper.next()).toBe("wait");
		expect(helper.next()).toBe("wait");
		expect(helper.made.filter(({ attempts }) => attempts > 0)).toHaveLength(1);
		helper.allReady();
		for (let i = 0; i < 20; i++) expect(helper.next()).not.toBe("wait");
		expect(helper.made.filter(({ attempts }) => attempts > 0)).toHaveLength(2);
	});

	test("asked to connect without a call, to any one; but a call that has come decides", async () => {
		const { helper, balancer } = balancing(numbered(5));
		balancer.exitIdle();
		const place = helper.next(key("k"));
		await helper.clock.advance(0);
		expect(place).toBe("wait");
		expect(helper.made.filter(({ attempts }) => attempts > 0)).toHaveLength(1);

		const other = balancing(numbered(5));
		other.balancer.exitIdle();
		await other.helper.clock.advance(0);
		expect(other.helper.states.at(-1)).toBe("connecting");
	});

	test("again, after a lost connection, when a call needs it", () => {
		const { helper } = balancing(endpoints("a:1"));
		connectAll(helper);
		helper.of("a:1").becomes("idle");
		expect(helper.states.at(-1)).toBe("idle");
		expect(helper.of("a:1").attempts).toBe(1);
		expect(helper.next(key("k"))).toBe("wait");
		expect(helper.of("a:1").attempts).toBe(2);
	});
});

describe("a call whose endpoint has failed", () => {
	test("goes to the next in the ring, and back when that is ready again", () => {
		const { helper } = balancing(numbered(5));
		connectAll(helper);
		const place = helper.next(key("k"));
		helper.of(place).fails("gone");
		const next = helper.next(key("k"));
		expect(next).toMatch(/^10/);
		expect(next).not.toBe(place);
		helper.of(place).becomes("ready");
		expect(helper.next(key("k"))).toBe(place);
	});

	test("does so through all further attempts to connect: they are made without a call (A61)", () => {
		const { helper } = balancing(numbered(5));
		connectAll(helper);
		const place = helper.next(key("k"));
		const failing = helper.of(place);
		failing.fails("gone");
		const next = helper.next(key("k"));
		expect(next).toMatch(/^10/);
		failing.becomes("idle");
		expect(failing.state).toBe("connecting");
		expect(helper.next(key("k"))).toBe(next);
	});

	test("waits for the next one's connection, not for the failed one's", () => {
		const { helper } = balancing(numbered(5));
		helper.next(key("k"));
		const [first] = helper.made.filter(({ state }) => state === "connecting");
		first?.fails("refused");
		expect(helper.states.at(-1)).toBe("connecting");
		expect(helper.next(key("k"))).toBe("wait");
		const connecting = helper.made.filter(
			({ state }) => state === "connecting",
		);
		expect(connecting.length).toBeGreaterThan(0);
		helper.allReady();
		for (const subchannel of helper.made) subchannel.connect();
		helper.allReady();
		expect(helper.next(key("k"))).not.toBe(first?.endpoint.address);
	});

	test("fails with the error of its own endpoint when all have failed", () => {
		const { helper } = balancing(endpoints("a:1", "b:1"));
		connectAll(helper);
		const user = keyOf(helper, "a:1");
		helper.of("a:1").fails("a is gone");
		helper.of("b:1").fails("b is gone");
		expect(helper.next(key(user))).toBe("fail: a is gone");
		expect(helper.states.at(-1)).toBe("transientFailure");
	});
});

describe("the state (A42)", () => {
	test("is failure when two have failed and none is ready, and one more is always tried", () => {
		const { helper } = balancing(numbered(4));
		helper.next(key("k"));
		const connecting = (): number =>
			helper.made.filter(({ state }) => state === "connecting").length;
		const failOne = (): void =>
			helper.made.find(({ state }) => state === "connecting")?.fails("refused");
		failOne();
		expect(helper.states.at(-1)).toBe("connecting");
		expect(connecting()).toBe(1);
		failOne();
		expect(helper.states.at(-1)).toBe("transientFailure");
		expect(connecting()).toBe(1);
		helper.allReady();
		expect(helper.states.at(-1)).toBe("ready");
	});

	test("is failure when the only endpoint has failed", () => {
		const { helper } = balancing(endpoints("a:1"));
		helper.next(key("k"));
		helper.of("a:1").fails("refused");
		expect(helper.states.at(-1)).toBe("transientFailure");
		expect(helper.next(key("k"))).toBe("fail: refused");
	});
});

describe("a call that is tried again", () => {
	test("goes to the next in the ring", () => {
		const { helper } = balancing(numbered(5));
		connectAll(helper);
		const seen = new Set<string>();
		const subchannels = [];
		for (let i = 0; i < 5; i++) {
			const place = helper.next({ ...key("k"), ...tried(...subchannels) });
			seen.add(place);
			subchannels.push(helper.of(place));
		}
		expect(seen.size).toBe(5);
		const again = { ...key("k"), ...tried(...subchannels) };
		expect(helper.next(again)).toBe(helper.next(key("k")));
	});

	test("without a key, goes to any that is ready and untried", () => {
		const { helper } = balancing(numbered(3));
		connectAll(helper);
		const [one, two, three] = helper.made;
		if (!one || !two || !three) throw new Error("there are three");
		for (let i = 0; i < 20; i++) {
			expect(helper.next(tried(one, two))).toBe(three.endpoint.address);
		}
		expect(helper.next(tried(one, two, three))).toMatch(/^10/);
	});
});

test("a pick makes no new object", () => {
	const { helper } = balancing(endpoints("a:1"));
	connectAll(helper);
	expect(helper.pick(anyCall)).toBe(helper.pick(key("k")));
});

test("closing shuts down every subchannel, and leaves no timer", () => {
	const { helper, balancer } = balancing(numbered(3));
	balancer.exitIdle();
	balancer.close();
	expect(helper.alive).toEqual([]);
	expect(helper.clock.pending).toBe(0);
});

describe("the config", () => {
	const defaults = {
		minRingSize: 1024,
		maxRingSize: 4096,
		requestHashHeader: undefined,
	};

	test.each([
		[{}, {}],
		[
			{ minRingSize: 10, max_ring_size: "20" },
			{ minRingSize: 10, maxRingSize: 20 },
		],
		[{ minRingSize: 8192 }, { minRingSize: 8192, maxRingSize: 8192 }],
		[{ requestHashHeader: "X-User" }, { requestHashHeader: "x-user" }],
		[{ requestHashHeader: "" }, {}],
		[{ unheardOf: 1 }, {}],
	])("%j is read", (config, read) => {
		expect(readRingHashConfig(config, "c")).toEqual({ ...defaults, ...read });
	});

	test.each([
		[{ minRingSize: 0 }, "c.minRingSize: 0 is not from 1 to 8388608"],
		[
			{ maxRingSize: 8388609 },
			"c.maxRingSize: 8388609 is not from 1 to 8388608",
		],
		[
			{ minRingSize: 20, maxRingSize: 10 },
			"c.minRingSize: 20 is more than maxRingSize, 10",
		],
		[
			{ requestHashHeader: "trace-bin" },
			'c.requestHashHeader: "trace-bin" is binary metadata; name a textual one, without "-bin"',
		],
		[
			{ requestHashHeader: "no name" },
			'c.requestHashHeader: "no name" is no name of metadata: letters, digits, "_", "-" and "."',
		],
	])("%j is refused", (config, message) => {
		expect(() => readRingHashConfig(config, "c")).toThrow(message);
	});
});
