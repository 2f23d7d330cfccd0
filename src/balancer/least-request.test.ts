import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	endpoints,
	FakeBalancerHelper,
	tried,
} from "../../testdata/harness/fake-balancer-helper.ts";
import { seeded } from "../../testdata/harness/seeded.ts";
import { EchoService } from "../../testdata/services/gen/echo/echo_pb.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import type { Balancer, PickInfo } from "./balancer.ts";
import {
	leastRequest,
	leastRequestWith,
	readLeastRequestConfig,
} from "./least-request.ts";
import { LoadTable } from "./load-table.ts";

class Scene {
	readonly helper = new FakeBalancerHelper();
	readonly balancer: Balancer;
	now = 0;

	constructor(given: readonly Endpoint[], choiceCount = 2) {
		this.helper.random = seeded(given.length);
		this.helper.now = () => this.now;
		this.balancer = leastRequestWith({ choiceCount })(this.helper);
		this.balancer.update(given);
		this.helper.allReady();
	}

	/** Begins a call, and tells where. */
	begin(info?: Partial<PickInfo>): {
		address: string;
		end(latencyMs: number, code?: Code, sent?: boolean): void;
	} {
		const pick = this.helper.pick(info);
		if (pick.kind !== "subchannel") throw new Error(`it is to ${pick.kind}`);
		pick.started?.();
		return {
			address: String(pick.subchannel.endpoint.address),
			end: (latencyMs, code, sent = true) =>
				pick.ended?.({ code, latencyMs, sent }),
		};
	}

	/** Where the next calls would go, if each had ended before the next. */
	shares(count = 200): Record<string, number> {
		const shares: Record<string, number> = {};
		for (let i = 0; i < count; i++) {
			const address = this.helper.next();
			shares[address] = (shares[address] ?? 0) + 1;
		}
		return shares;
	}

	/** A call to that endpoint, ended so. */
	call(address: string, latencyMs: number, code?: Code, sent?: boolean): void {
		const others = this.helper.made.filter(
			({ endpoint }) => endpoint.address !== address,
		);
		const call = this.begin(tried(...others));
		expect(call.address).toBe(address);
		call.end(latencyMs, code, sent);
	}
}

const two = endpoints("a:1", "b:1");

test("keeps a connection to every endpoint", () => {
	const { helper } = new Scene(endpoints("a:1", "b:1", "c:1"));
	expect(helper.made.map(({ state }) => state)).toEqual([
		"ready",
		"ready",
		"ready",
	]);
});

test("of two endpoints that were drawn, the one with fewer calls in flight gets the call", () => {
	const scene = new Scene(two);
	const first = scene.begin().address;
	expect(scene.begin().address).not.toBe(first);
});

test("calls in flight stay level, over any number of endpoints", () => {
	const all = Array.from({ length: 100 }, (_, i) => ({
		address: `h:${i + 1}`,
	}));
	const scene = new Scene(all);
	const inFlight = new Map<string, number>();
	for (let i = 0; i < 1000; i++) {
		const { address } = scene.begin();
		inFlight.set(address, (inFlight.get(address) ?? 0) + 1);
	}
	expect(Math.max(...inFlight.values())).toBeLessThan(14);
});

describe("cost = Peak-EWMA of latency × (in flight + 1)", () => {
	test("an endpoint that is three times as slow gets its second call when the other has three more", () => {
		const scene = new Scene(two);
		scene.call("a:1", 10);
		scene.call("b:1", 29);
		const went = Array.from({ length: 8 }, () => scene.begin().address);
		expect(went.join(" ")).toBe("a:1 a:1 b:1 a:1 a:1 a:1 b:1 a:1");
	});

	test("a call that waits counts by how long it has: who is slow is avoided before its first slow answer", () => {
		const scene = new Scene(two);
		scene.call("a:1", 10);
		scene.call("b:1", 20);
		expect(scene.begin().address).toBe("a:1");
		scene.now = 15;
		expect(scene.begin().address).toBe("b:1");
		scene.now = 16;
		// Two calls in flight for 20 ms each are less than one in flight and the next for 16.
		const [slow, fast] = [scene.begin(), scene.begin()];
		expect([slow.address, fast.address].sort()).toEqual(["a:1", "b:1"]);
		scene.now = 1000;
		fast.end(20);
		const went = Array.from({ length: 20 }, () => scene.begin().address);
		expect(new Set(went)).toEqual(new Set([fast.address]));
	});

	test("a slower sample raises the estimate at once", () => {
		const scene = new Scene(two);
		for (let i = 0; i < 100; i++) scene.call("a:1", 10);
		scene.call("b:1", 20);
		expect(scene.shares()).toEqual({ "a:1": 200 });
		scene.call("a:1", 30);
		expect(scene.shares()).toEqual({ "b:1": 200 });
	});

	test("otherwise it decays: faster samples count with the time that has gone by", () => {
		const scene = new Scene(two);
		scene.call("a:1", 100);
		const look = (): Record<string, number> => {
			scene.call("b:1", 50);
			scene.call("a:1", 10);
			return scene.shares();
		};
		expect(look()).toEqual({ "b:1": 200 });
		scene.now = 5000;
		expect(look()).toEqual({ "b:1": 200 });
		scene.now = 9000;
		expect(look()).toEqual({ "a:1": 200 });
	});

	test("unasked it fades, so that an endpoint that was slow once is tried again", () => {
		const scene = new Scene(two);
		scene.call("a:1", 100);
		scene.call("b:1", 10);
		expect(scene.shares()).toEqual({ "b:1": 200 });
		scene.now = 25_000;
		scene.call("b:1", 10);
		expect(scene.shares()).toEqual({ "a:1": 200 });
		scene.call("a:1", 10);
	});
});

describe("new endpoints start at the median, not at zero", () => {
	const known = (): Scene => {
		const scene = new Scene(endpoints("a:1", "b:1", "c:1"));
		scene.call("a:1", 10);
		scene.call("b:1", 20);
		scene.call("c:1", 90);
		scene.balancer.update(endpoints("a:1", "b:1", "c:1", "new:1"));
		scene.helper.allReady();
		return scene;
	};

	test("a new one is dearer than a fast one and cheaper than a slow one", () => {
		const scene = known();
		const { helper } = scene;
		const against = (address: string): string =>
			helper.next(
				tried(
					...helper.made.filter(
						({ endpoint }) =>
							endpoint.address !== address && endpoint.address !== "new:1",
					),
				),
			);
		const counts = (address: string): number =>
			Array.from({ length: 100 }, () => against(address)).filter(
				(went) => went === "new:1",
			).length;
		expect(counts("a:1")).toBeLessThan(counts("c:1"));
	});

	test("a new one gets no burst", () => {
		const scene = known();
		const went = Array.from({ length: 40 }, () => scene.begin().address);
		const count = went.filter((address) => address === "new:1").length;
		expect(count).toBeGreaterThan(3);
		expect(count).toBeLessThan(16);
	});

	test("where none is known calls in flight decide", () => {
		const scene = new Scene(two);
		for (let i = 0; i < 10; i++) {
			const [one, other] = [scene.begin(), scene.begin()];
			expect(one.address).not.toBe(other.address);
		}
	});
});

describe("of an endpoint that has left, the one that comes in its place", () => {
	/** How many of ten calls go to new:1, which comes when others have gone. */
	const callsOfNew = (scene: Scene): number => {
		scene.helper.allReady();
		const went = Array.from({ length: 10 }, () => scene.begin().address);
		return went.filter((address) => address === "new:1").length;
	};
	const replace = (scene: Scene): void => {
		scene.balancer.update(endpoints("a:1"));
		scene.balancer.update(endpoints("a:1", "new:1"));
	};

	test("does not bear the calls that were in flight, nor how they end", () => {
		for (const [ms, code] of [[5000, Code.Unavailable], [0.01]] as const) {
			const scene = new Scene(two);
			scene.call("a:1", 10);
			scene.call("b:1", 10);
			const calls = [scene.begin(), scene.begin()];
			expect(calls.map(({ address }) => address).sort()).toEqual([
				"a:1",
				"b:1",
			]);
			replace(scene);
			for (const { address, end } of calls) {
				if (address === "a:1") end(10);
				else end(ms, code);
			}
			expect(callsOfNew(scene)).toBe(5);
		}
	});

	test("knows nothing: it starts at the median of those that are left", () => {
		const scene = new Scene(endpoints("a:1", "b:1", "c:1"));
		scene.call("a:1", 10);
		scene.call("b:1", 5000, Code.Unavailable);
		scene.call("c:1", 5000, Code.Unavailable);
		replace(scene);
		expect(callsOfNew(scene)).toBe(5);
	});

	test("has its memory", () => {
		const loads = new LoadTable(() => 0);
		const rows = [1, 1, 1].map((weight) => loads.join(weight));
		loads.leave(rows[1] as number);
		expect(loads.join(1)).toBe(rows[1]);
	});
});

describe("weights", () => {
	const weighted = [
		{ address: "a:1", weight: 3 },
		{ address: "b:1", weight: 1 },
	];

	test("that differ are shares of the calls where nothing else does", () => {
		const scene = new Scene(weighted);
		const share = (scene.shares(20_000)["a:1"] ?? 0) / 20_000;
		expect(share).toBeGreaterThan(0.73);
		expect(share).toBeLessThan(0.77);
	});

	test("that differ are shares of the calls in flight", () => {
		const scene = new Scene(weighted);
		let heavy = 0;
		for (let i = 0; i < 400; i++) {
			if (scene.begin().address === "a:1") heavy += 1;
		}
		expect(heavy).toBeGreaterThan(290);
		expect(heavy).toBeLessThan(310);
	});

	test("of endpoints that stay change without a new connection, and keep what is known", () => {
		const scene = new Scene(two);
		scene.call("a:1", 10);
		scene.call("b:1", 50);
		scene.balancer.update(weighted);
		expect(scene.helper.made).toHaveLength(2);
		expect((scene.shares()["a:1"] ?? 0) / 200).toBeGreaterThan(0.97);
	});
});

describe("a failure that means a sick server", () => {
	const sick = [
		Code.Unavailable,
		Code.DeadlineExceeded,
		Code.Internal,
		Code.Unknown,
		Code.ResourceExhausted,
	];

	test.each(sick)("never makes an endpoint look fast: code %d", (code) => {
		const scene = new Scene(two);
		scene.call("a:1", 10);
		scene.call("b:1", 10);
		scene.call("a:1", 0.1, code);
		expect(scene.shares()).toEqual({ "b:1": 200 });
	});

	test("does not either when it is the first that is heard of an endpoint", () => {
		const scene = new Scene(two);
		scene.call("a:1", 0.1, Code.Unavailable);
		expect(scene.shares()).toEqual({ "b:1": 200 });
		scene.call("b:1", 10);
		expect(scene.shares()).toEqual({ "b:1": 200 });
	});

	test("counts as long as it took, if that is longer than the latency held", () => {
		const scene = new Scene(two);
		scene.call("b:1", 10);
		scene.call("a:1", 1000, Code.DeadlineExceeded);
		scene.now = 40_000;
		scene.call("b:1", 10);
		expect(scene.shares()).toEqual({ "b:1": 200 });
	});

	test("counts once in a round trip: calls under way together met the same trouble", () => {
		const scene = new Scene(two);
		scene.call("a:1", 10);
		scene.call("b:1", 25);
		const { helper } = scene;
		const calls = Array.from({ length: 20 }, () =>
			scene.begin(tried(helper.of("b:1"))),
		);
		scene.now = 5;
		for (const call of calls) call.end(5, Code.Unavailable);
		// Twice 10 is less than 25.
		expect(scene.shares()).toEqual({ "a:1": 200 });
		scene.now = 6;
		scene.call("a:1", 0.5, Code.Unavailable);
		expect(scene.shares()).toEqual({ "b:1": 200 });
	});

	test("wears off, however many there were", () => {
		const scene = new Scene(two);
		scene.call("a:1", 10);
		scene.call("b:1", 10);
		for (let i = 1; i <= 1000; i++) {
			scene.now = i;
			scene.call("a:1", 0.5, Code.Unavailable);
		}
		scene.now = 60_000;
		scene.call("a:1", 10);
		scene.call("b:1", 15);
		expect(scene.shares()).toEqual({ "a:1": 200 });
	});

	test("leaves an endpoint that fails everything at once with hardly any calls", () => {
		const scene = new Scene(endpoints("a:1", "b:1", "c:1"));
		let failed = 0;
		for (let i = 0; i < 3000; i++) {
			const calls = [scene.begin(), scene.begin(), scene.begin()];
			for (const call of calls) {
				if (call.address === "a:1") {
					failed += 1;
					call.end(0.2, Code.Unavailable);
				} else call.end(10);
			}
			scene.now += 10;
		}
		expect(failed).toBeLessThan(3000 * 3 * 0.01);
		expect(failed).toBeGreaterThan(0);
	});
});

describe("what says nothing of the latency", () => {
	const level = (): Scene => {
		const scene = new Scene(two);
		scene.call("a:1", 10);
		scene.call("b:1", 9);
		expect(scene.shares()).toEqual({ "b:1": 200 });
		return scene;
	};

	test("a call that was never sent, however it ended", () => {
		const scene = level();
		scene.call("b:1", 1000, Code.Unavailable, false);
		expect(scene.shares()).toEqual({ "b:1": 200 });
	});

	test("CANCELED after a shorter time; a longer one raises it", () => {
		const scene = new Scene(two);
		scene.call("a:1", 100);
		scene.now = 10_000;
		scene.call("b:1", 40);
		// 100 has faded to 37.
		scene.call("a:1", 20, Code.Canceled);
		expect(scene.shares()).toEqual({ "a:1": 200 });
		scene.call("a:1", 41, Code.Canceled);
		expect(scene.shares()).toEqual({ "b:1": 200 });
	});

	test("CANCELED, as the first that is heard of an endpoint", () => {
		const scene = new Scene(two);
		scene.call("b:1", 10);
		scene.call("a:1", 0.1, Code.Canceled);
		expect(scene.shares()["b:1"]).toBeGreaterThan(50);
	});

	test("how long a stream lived; but it counts while it is in flight, and when it fails", () => {
		const scene = level();
		const stream = (): ReturnType<Scene["begin"]> =>
			scene.begin({
				method: { ...EchoService.method.echo, methodKind: "server_streaming" },
			} as Partial<PickInfo>);
		const one = stream();
		expect(one.address).toBe("b:1");
		expect(scene.shares()).toEqual({ "a:1": 200 });
		one.end(3_600_000);
		expect(scene.shares()).toEqual({ "b:1": 200 });
		stream().end(3_600_000, Code.Internal);
		expect(scene.shares()).toEqual({ "a:1": 200 });
	});

	test("but an error that the server gives the call is an answer", () => {
		const scene = level();
		scene.call("b:1", 30, Code.NotFound);
		expect(scene.shares()).toEqual({ "a:1": 200 });
	});
});

describe("a call that is tried again", () => {
	test("goes to an endpoint that it has not tried, whatever that costs", () => {
		const scene = new Scene(endpoints("a:1", "b:1", "c:1"));
		scene.call("c:1", 1000);
		const { helper } = scene;
		const calls = tried(helper.of("a:1"), helper.of("b:1"));
		for (let i = 0; i < 50; i++) expect(helper.next(calls)).toBe("c:1");
	});

	test("goes on with any when it has tried all", () => {
		const { helper } = new Scene(two);
		expect(helper.next(tried(...helper.made))).toMatch(/^[ab]:1$/);
	});
});

test("an endpoint that is taken out and put back keeps its connection and what is known of it", () => {
	const scene = new Scene(two);
	scene.call("a:1", 10);
	scene.call("b:1", 50);
	scene.helper.of("a:1").fails("ejected");
	expect(scene.shares()).toEqual({ "b:1": 200 });
	scene.helper.of("a:1").becomes("ready");
	expect(scene.shares()).toEqual({ "a:1": 200 });
	expect(scene.helper.of("a:1").attempts).toBe(1);
});

test("a pick makes no new object", () => {
	const { helper } = new Scene(two);
	const picks = new Set(Array.from({ length: 100 }, () => helper.pick()));
	expect(picks.size).toBe(2);
});

describe("choiceCount", () => {
	test("is how many are drawn: with more, the cheapest is found more often", () => {
		const all = Array.from({ length: 10 }, (_, i) => ({
			address: `h:${i + 1}`,
		}));
		const share = (choiceCount: number): number => {
			const scene = new Scene(all, choiceCount);
			for (const { address } of all) {
				scene.call(address, address === "h:1" ? 1 : 10);
			}
			return scene.shares(1000)["h:1"] ?? 0;
		};
		expect(share(2)).toBeLessThan(250);
		expect(share(10)).toBeGreaterThan(550);
	});

	test.each([
		[{}, 2],
		[{ choiceCount: 3 }, 3],
		[{ choice_count: "10" }, 10],
		[{ choiceCount: 1000 }, 10],
		[{ unheardOf: true }, 2],
	])("of %j is %d (A48)", (config, choiceCount) => {
		expect(readLeastRequestConfig(config, "c")).toEqual({ choiceCount });
	});

	test.each([0, 1, -2, 2.5, "two"])("may not be %j", (choiceCount) => {
		expect(() => readLeastRequestConfig({ choiceCount }, "c")).toThrow(
			/^c\.choiceCount: /,
		);
	});

	test("is 2 by default", () => {
		const helper = new FakeBalancerHelper();
		let draws = 0;
		leastRequest(helper).update(endpoints("a:1", "b:1", "c:1"));
		helper.allReady();
		helper.random = () => {
			draws += 1;
			return 0.5;
		};
		helper.next();
		expect(draws).toBe(2);
	});
});
