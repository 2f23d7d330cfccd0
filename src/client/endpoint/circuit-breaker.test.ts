import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FakeClock, settled } from "../../../testdata/harness/fake-clock.ts";
import { serviceOf } from "../../../testdata/harness/service-of.ts";
import {
	type CircuitBreakerOptions,
	compileCircuitBreaker,
} from "../options/circuit-breaker-options.ts";
import {
	CircuitBreakers,
	isBreakerRefusal,
	type Permit,
} from "./circuit-breaker.ts";

const [create, list] = serviceOf("Create", "List").methods as [
	DescMethod,
	DescMethod,
];

/** The breakers of a channel, of which one method at one endpoint is called where nothing else is said. */
class Channel {
	readonly clock = new FakeClock();
	readonly breakers: CircuitBreakers<{ name: string }>;
	readonly a = { name: "a" };
	readonly b = { name: "b" };
	readonly log: string[] = [];

	constructor(options: CircuitBreakerOptions = {}) {
		const config = compileCircuitBreaker(options, "circuitBreaker");
		if (config === undefined) throw new Error("switched off");
		this.breakers = new CircuitBreakers(
			config,
			this.clock,
			(endpoint, state, reason) =>
				this.log.push(`${endpoint.name} ${state} ${reason}`),
		);
	}

	admit(method = create, endpoint = this.a): Permit | undefined {
		return this.breakers.admit(method, endpoint);
	}

	/** Calls that end with the code; those that are not let through are not made. */
	call(count: number, code?: Code, method = create, endpoint = this.a): void {
		for (let n = 0; n < count; n += 1) {
			this.admit(method, endpoint)?.ended(code);
		}
	}

	refused(method = create, endpoint = this.a): boolean {
		const permit = this.admit(method, endpoint);
		permit?.unused();
		return permit === undefined;
	}
}

/** One whose breaker has opened just now. */
function opened(options: CircuitBreakerOptions = {}): Channel {
	const channel = new Channel(options);
	channel.call(20, Code.Unavailable);
	expect(channel.refused()).toBe(true);
	channel.log.length = 0;
	return channel;
}

/** One whose breaker lets a probe through now. */
async function halfOpen(options: CircuitBreakerOptions = {}): Promise<Channel> {
	const channel = opened(options);
	await channel.clock.advance(5000);
	return channel;
}

describe("a closed breaker", () => {
	test("opens when half of 20 calls have failed", () => {
		const channel = new Channel();
		channel.call(10);
		channel.call(9, Code.Unavailable);
		expect(channel.refused()).toBe(false);
		channel.call(1, Code.Internal);
		expect(channel.refused()).toBe(true);
		expect(channel.log).toEqual([
			"a breakerOpen test.Any/Create: 10 of 20 calls failed in 10 s, the last with [internal]",
		]);
	});

	test("stays closed while fewer than half fail", () => {
		const channel = new Channel();
		channel.call(51);
		channel.call(50, Code.Unavailable);
		expect(channel.refused()).toBe(false);
	});

	test("stays closed while there are fewer than 20 calls, though all fail", () => {
		const channel = new Channel();
		channel.call(19, Code.Unavailable);
		expect(channel.refused()).toBe(false);
	});

	test("looks back 10 s, no further", async () => {
		const channel = new Channel();
		channel.call(19, Code.Unavailable);
		await channel.clock.advance(10_000);
		channel.call(19, Code.Unavailable);
		expect(channel.refused()).toBe(false);
		await channel.clock.advance(8999);
		channel.call(1, Code.Unavailable);
		expect(channel.refused()).toBe(true);
	});

	test.each([
		Code.Unavailable,
		Code.DeadlineExceeded,
		Code.Internal,
		Code.ResourceExhausted,
	])("code %d is a failure", (code) => {
		const channel = new Channel();
		channel.call(20, code);
		expect(channel.refused()).toBe(true);
	});

	test("failureStatusCodes says which are", () => {
		const failureStatusCodes = ["UNKNOWN"] as const;
		const channel = new Channel({ failureStatusCodes });
		channel.call(40, Code.Unavailable);
		expect(channel.refused()).toBe(false);
		channel.call(40, Code.Unknown);
		expect(channel.refused()).toBe(true);
	});

	test.each([
		undefined,
		Code.Unknown,
		Code.InvalidArgument,
		Code.NotFound,
		Code.AlreadyExists,
		Code.PermissionDenied,
		Code.FailedPrecondition,
		Code.Aborted,
		Code.OutOfRange,
		Code.Unimplemented,
		Code.DataLoss,
		Code.Unauthenticated,
	])("code %s is the answer of a server that works", (code) => {
		const channel = new Channel();
		channel.call(11, code);
		channel.call(10, Code.Unavailable);
		expect(channel.refused()).toBe(false);
		channel.call(1, Code.Unavailable);
		expect(channel.refused()).toBe(true);
	});

	test("cancelled calls and calls never sent do not count", () => {
		const channel = new Channel();
		channel.call(100, Code.Canceled);
		for (let n = 0; n < 100; n += 1) channel.admit()?.unused();
		channel.call(19, Code.Unavailable);
		expect(channel.refused()).toBe(false);
		channel.call(1, Code.Unavailable);
		expect(channel.refused()).toBe(true);
	});

	test("lets any number of calls through at once, and allocates nothing for them", () => {
		const channel = new Channel();
		const permits = new Set(Array.from({ length: 100 }, () => channel.admit()));
		expect([...permits]).toEqual([expect.anything()]);
	});

	test("opens at the ratio itself, whatever it is", () => {
		const channel = new Channel({ failureRatio: 0.1, minimumCalls: 30 });
		channel.call(27);
		channel.call(2, Code.Unavailable);
		expect(channel.refused()).toBe(false);
		channel.call(1, Code.Unavailable);
		expect(channel.refused()).toBe(true);
	});

	test("has bounds that can be set", async () => {
		const channel = new Channel({
			window: "1s",
			minimumCalls: 4,
			failureRatio: 0.75,
		});
		channel.call(3, Code.Unavailable);
		await channel.clock.advance(1000);
		channel.call(2);
		channel.call(5, Code.Unavailable);
		expect(channel.refused()).toBe(false);
		channel.call(1, Code.Unavailable);
		expect(channel.refused()).toBe(true);
	});
});

test("a breaker goes with its endpoint", async () => {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	const channel = new Channel();
	const gone = ((): WeakRef<object> => {
		const endpoint = { name: "c" };
		channel.call(20, Code.Unavailable, create, endpoint);
		return new WeakRef(endpoint);
	})();
	expect(channel.log).toHaveLength(1);
	for (let n = 0; n < 20 && gone.deref() !== undefined; n += 1) {
		await settled();
		collect();
	}
	expect(gone.deref()).toBeUndefined();
	expect(channel.refused()).toBe(false);
});

describe("an open breaker", () => {
	test("is of one method at one endpoint", () => {
		const channel = opened();
		expect(channel.refused(list, channel.a)).toBe(false);
		expect(channel.refused(create, channel.b)).toBe(false);
		channel.call(20, Code.Unavailable, list, channel.b);
		expect(channel.refused(list, channel.b)).toBe(true);
		expect(channel.refused(create, channel.b)).toBe(false);
	});

	test("refuses with UNAVAILABLE, and says why and until when", async () => {
		const channel = opened();
		await channel.clock.advance(1500);
		const error = channel.breakers.refusal(create, channel.a, "10.0.0.1:80");
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toBe(
			"the circuit breaker of test.Any/Create at 10.0.0.1:80 is open: 20 of 20 calls failed in 10 s, the last with [unavailable]; it lets a probe through in 3.5 s",
		);
	});

	test("has refusals that can be told from other errors", () => {
		const channel = opened();
		const error = channel.breakers.refusal(create, channel.a, "a");
		expect(isBreakerRefusal(error)).toBe(true);
		expect(isBreakerRefusal(new Error("other"))).toBe(false);
		expect(isBreakerRefusal(undefined)).toBe(false);
	});

	test("refuses for 5 s, then lets a probe through", async () => {
		const channel = opened();
		await channel.clock.advance(4999);
		expect(channel.refused()).toBe(true);
		await channel.clock.advance(1);
		expect(channel.refused()).toBe(false);
	});

	test("refuses for as long as openFor says", async () => {
		const channel = opened({ openFor: 100 });
		await channel.clock.advance(99);
		expect(channel.refused()).toBe(true);
		await channel.clock.advance(1);
		expect(channel.refused()).toBe(false);
	});

	test("does not listen to calls that began before it opened", async () => {
		const channel = new Channel();
		const early = Array.from({ length: 30 }, () => channel.admit());
		channel.call(20, Code.Unavailable);
		for (const permit of early.slice(0, 10)) permit?.ended(undefined);
		expect(channel.refused()).toBe(true);
		await channel.clock.advance(5000);
		const probe = channel.admit();
		for (const permit of early.slice(10)) permit?.ended(Code.Unavailable);
		expect(channel.refused()).toBe(true);
		probe?.ended(undefined);
		channel.call(1);
		expect(channel.log.at(-1)).toMatch("breakerClosed");
	});

	test("needs no timer", () => {
		expect(opened().clock.pending).toBe(0);
	});
});

describe("a half-open breaker", () => {
	test("lets one probe through at a time", async () => {
		const channel = await halfOpen();
		const probe = channel.admit();
		expect(probe).toBeDefined();
		expect(channel.admit()).toBeUndefined();
		expect(channel.breakers.refusal(create, channel.a, "a").rawMessage).toMatch(
			"is half open: a probe is under way",
		);
		probe?.ended(undefined);
		expect(channel.admit()).toBeDefined();
	});

	test("closes after two successes", async () => {
		const channel = await halfOpen();
		channel.call(1);
		expect(channel.log).toEqual([]);
		channel.call(1, Code.NotFound);
		expect(channel.log).toEqual([
			"a breakerClosed test.Any/Create: 2 probes went well",
		]);
		expect(channel.admit()).toBe(channel.admit());
	});

	test("closes with a window that has nothing in it", async () => {
		const channel = await halfOpen();
		channel.call(2);
		channel.call(19, Code.Unavailable);
		expect(channel.refused()).toBe(false);
		channel.call(1, Code.Unavailable);
		expect(channel.refused()).toBe(true);
	});

	test("closes after as many successes as successesToClose says", async () => {
		const channel = await halfOpen({ successesToClose: 1 });
		channel.call(1);
		expect(channel.log).toEqual([
			"a breakerClosed test.Any/Create: 1 probe went well",
		]);
	});

	test("opens again for 5 s when a probe fails", async () => {
		const channel = await halfOpen();
		channel.call(1);
		channel.call(1, Code.ResourceExhausted);
		expect(channel.log).toEqual([
			"a breakerOpen test.Any/Create: a probe failed with [resource_exhausted]",
		]);
		await channel.clock.advance(4999);
		expect(channel.refused()).toBe(true);
		await channel.clock.advance(1);
		// The success before the failure is forgotten.
		channel.call(1);
		expect(channel.log).toHaveLength(1);
		channel.call(1);
		expect(channel.log).toHaveLength(2);
	});

	test("takes back the slot of a probe that is cancelled, and learns nothing of it", async () => {
		const channel = await halfOpen({ successesToClose: 1 });
		channel.call(1, Code.Canceled);
		expect(channel.log).toEqual([]);
		expect(channel.admit()).toBeDefined();
	});

	test("takes back the slot of a probe that was never sent", async () => {
		const channel = await halfOpen({ successesToClose: 1 });
		channel.admit()?.unused();
		expect(channel.log).toEqual([]);
		expect(channel.admit()).toBeDefined();
	});

	test("sends the next probe when one takes as long as the breaker stays open", async () => {
		const channel = await halfOpen();
		const slow = channel.admit();
		await channel.clock.advance(4999);
		expect(channel.admit()).toBeUndefined();
		await channel.clock.advance(1);
		const next = channel.admit();
		expect(next).toBeDefined();
		// The slow one counts when it ends, but the slot is not its own any more.
		slow?.ended(undefined);
		expect(channel.admit()).toBeUndefined();
		next?.ended(undefined);
		expect(channel.log).toEqual([
			"a breakerClosed test.Any/Create: 2 probes went well",
		]);
	});

	test("does not listen to a probe of an earlier time", async () => {
		const channel = await halfOpen({ successesToClose: 1 });
		const slow = channel.admit();
		await channel.clock.advance(5000);
		channel.call(1, Code.Unavailable);
		channel.log.length = 0;
		slow?.ended(undefined);
		expect(channel.log).toEqual([]);
		expect(channel.refused()).toBe(true);
	});
});
