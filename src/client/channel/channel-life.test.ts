/** What a channel does while endpoints come, go and fall silent, and while nobody calls. */

import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	errorOf,
	retryPolicy,
	type SeenRequest,
	silent,
} from "../../../testdata/harness/attempts.ts";
import {
	type FakeClock,
	settled,
} from "../../../testdata/harness/fake-clock.ts";
import {
	connectedFleet,
	type Fleet,
	type FleetClient,
	type FleetOptions,
	type FleetServer,
	fleetOf,
} from "../../../testdata/harness/fleet.ts";
import { answer } from "../../../testdata/harness/http2-server.ts";
import { TcpLine } from "../../../testdata/harness/tcp-line.ts";
import { dnsResolver } from "../../discovery/dns/dns.ts";
import { srvResolver } from "../../discovery/dns/srv.ts";
import { pollResolver } from "../../discovery/poll.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import {
	formatAddress,
	parseAddress,
} from "../../discovery/targets/address.ts";
import { type Connect, connectOver } from "../endpoint/connect.ts";
import { dialPlaintext } from "../endpoint/dial.ts";

const MINUTE = 60_000;

describe("without a call for 30 min", () => {
	test("a channel closes its connections, stops watching and says idle; the next call brings all back", async () => {
		await using made = await connectedFleet("ab");
		const { core, clock, fleet } = made;
		await made.outcomes(2);
		await clock.advance(30 * MINUTE - 1);
		expect(core.state).toBe("ready");
		await clock.advance(1);
		expect(core.state).toBe("idle");
		await gone(fleet);
		expect(core.snapshot()).toMatchObject({ state: "idle", endpoints: [] });
		made.resolver.tell({ endpoints: fleet.endpoints() });
		expect(await made.outcomes(2)).toEqual({ ok: 2 });
		expect(core.state).toBe("ready");
	});

	test("leaves no timer behind, whatever it has watched over", async () => {
		await using made = await connectedFleet("ab", {
			circuitBreaker: {},
			keepalive: { time: "60s", withoutCalls: true },
			maxConcurrentCalls: 10,
			localZone: "a",
		});
		await made.outcomes(20);
		await made.core.close(0);
		await gone(made.fleet);
		await settled();
		expect(made.clock.pending).toBe(0);
	});

	test("counts from the end of the last call, and not while one is in flight", async () => {
		await using made = await connectedFleet("a");
		const { core, clock, fleet } = made;
		fleet.get("a").does = silent;
		const call = made.client.echo({}, { timeoutMs: 0 });
		const { stream } = await fleet.get("a").request(1);
		await clock.advance(45 * MINUTE);
		expect(core.state).toBe("ready");
		answer(stream);
		await call;
		await clock.advance(29 * MINUTE);
		expect(core.state).toBe("ready");
		await clock.advance(MINUTE);
		expect(core.state).toBe("idle");
	});

	test("idleTimeout says otherwise", async () => {
		await using made = await connectedFleet("a", { idleTimeout: "90s" });
		await made.outcomes(1);
		await made.clock.advance(89_999);
		expect(made.core.state).toBe("ready");
		await made.clock.advance(1);
		expect(made.core.state).toBe("idle");
	});
});

async function gone(fleet: Fleet): Promise<void> {
	while (fleet.servers.some(({ sessions }) => sessions.size > 0)) {
		await settled();
	}
}

/** The fleet, at addresses that only the client's own dialing knows. */
function dialing(fleet: Fleet): Connect {
	const dial = connectOver(dialPlaintext);
	return (address, listener, signal) => {
		const [, number] = /^10\.0\.0\.(\d):80$/.exec(formatAddress(address)) ?? [];
		const server = fleet.servers[Number(number) - 1] as FleetServer;
		return dial(parseAddress(server.address, "server"), listener, signal);
	};
}

describe("a scale-up is seen without a failure, within 30 s, and those that stay keep their connections:", () => {
	const known: string[] = [];

	const resolvers: Record<string, (clock: FakeClock) => Resolver> = {
		dns: (clock) =>
			dnsResolver(
				{ host: "shop.example", port: 80 },
				{ clock, lookup: async () => ({ addresses: [...known] }) },
			),
		"dns by a name server, as soon as the time to live is over": (clock) =>
			dnsResolver(
				{ host: "shop.example", port: 80, server: "10.0.0.53:53" },
				{
					clock,
					lookup: async () => ({ addresses: [...known], ttlMs: 20_000 }),
				},
			),
		srv: (clock) =>
			srvResolver(
				{ name: "_grpc._tcp.shop.example" },
				{
					clock,
					query: async () =>
						known.map((name) => ({ name, port: 80, priority: 1, weight: 1 })),
				},
			),
		poll: (clock) =>
			pollResolver(async () => known.map((host) => `${host}:80`), {
				everyMs: 30_000,
				clock,
			}),
	};

	test.each(Object.entries(resolvers))("%s", async (_, target) => {
		known.splice(0, 3, "10.0.0.1", "10.0.0.2");
		await using made = await fleetOf("abc", {
			target,
			connect: dialing,
		});
		const { fleet, clock } = made;
		await made.core.connect(undefined);
		for (const host of known) await made.heard(`${host}:80 ready`);
		await made.outcomes(12);
		expect(fleet.seen()).toEqual({ a: 6, b: 6, c: 0 });
		known.push("10.0.0.3");
		while (!made.states.includes("10.0.0.3:80 connecting")) {
			await clock.advance(1_000);
		}
		expect(clock.now()).toBeLessThanOrEqual(30_000);
		await made.heard("10.0.0.3:80 ready");
		expect(await made.outcomes(12)).toEqual({ ok: 12 });
		expect(fleet.seen()).toEqual({ a: 4, b: 4, c: 4 });
		known.shift();
		await clock.advance(30_000);
		expect(await made.outcomes(12)).toEqual({ ok: 12 });
		expect(fleet.seen()).toEqual({ a: 0, b: 6, c: 6 });
		expect(fleet.servers.map(({ accepted }) => accepted)).toEqual([1, 1, 1]);
	});
});

describe("an endpoint that the resolver drops", () => {
	test("gets no more calls, finishes those that it has, and is then left", async () => {
		await using made = await connectedFleet("ab");
		const { fleet } = made;
		const a = fleet.get("a");
		a.does = silent;
		const calls = [1, 2].map(() => made.client.echo({}));
		const { stream } = await a.request(1);
		made.resolver.tell({ endpoints: fleet.endpoints("b") });
		await made.heard("a shutdown");
		await made.outcomes(6);
		expect(a.seen).toHaveLength(1);
		expect(a.sessions.size).toBe(1);
		answer(stream);
		await Promise.all(calls);
		while (a.sessions.size > 0) await settled();
		expect(made.core.snapshot()).toMatchObject({ endpoints: [{}] });
	});
});

describe("a connection that falls silent", () => {
	interface Lined extends FleetClient {
		/** The n-th call that comes to the first server. */
		request(n: number): Promise<SeenRequest>;
		/** The first server stops, as far as anybody can tell, once it has so many calls. */
		stop(calls: number): Promise<void>;
		goOn(): void;
	}

	/** Of two servers the first, which gets the first call, never answers by itself. */
	async function lined(options: FleetOptions = {}): Promise<Lined> {
		const dial = connectOver(dialPlaintext);
		let line: TcpLine | undefined;
		const sticky = options.balancer === "pick_first";
		const made = await (sticky ? fleetOf : connectedFleet)("ab", {
			outlierDetection: false,
			...options,
			environment: { silenceMs: 1_000 },
			connect: (fleet) => async (address, listener, signal) => {
				const a = fleet.get("a").address;
				if (formatAddress(address) !== a)
					return dial(address, listener, signal);
				line ??= await TcpLine.before(a);
				return dial(parseAddress(line.address, "line"), listener, signal);
			},
		});
		const a = made.fleet.get("a");
		// In turns, it is the first one's when the second has had one.
		do await made.outcomes(1);
		while (made.fleet.seen()["b"] === 0 && !sticky);
		const before = a.seen.length;
		const request = (n: number) => a.request(before + n);
		a.does = silent;
		return {
			...made,
			request,
			async stop(calls) {
				await request(calls);
				await settled();
				line?.stop();
				while (!made.states.join().includes("does not answer")) {
					await made.clock.advance(1_000);
				}
			},
			goOn: () => line?.goOn(),
			async [Symbol.asyncDispose]() {
				await line?.[Symbol.asyncDispose]();
				await made[Symbol.asyncDispose]();
			},
		};
	}

	test("is known within 2 s, gets no new calls, and says why", async () => {
		await using made = await lined();
		const call = errorOf(made.client.echo({}));
		await made.stop(1);
		expect(made.states.at(-1)).toBe("a connecting");
		expect(made.states.at(-2)).toBe(
			`a idle: ${made.fleet.get("a").address} does not answer: it is stopped, or cut off`,
		);
		expect(made.clock.now()).toBe(2_000);
		expect(await made.outcomes(6)).toEqual({ ok: 6 });
		expect(made.fleet.seen()).toEqual({ a: 1, b: 6 });
		await made.core.close(0);
		expect((await call).code).toBe(Code.Canceled);
	});

	test("keeps calls that may not be sent twice, which can still be answered", async () => {
		await using made = await lined();
		const call = made.client.echo({});
		await made.stop(1);
		made.goOn();
		answer((await made.request(1)).stream);
		await call;
		await made.clock.advance(1_000);
		await made.heard("a ready", 2);
	});

	test("lets a call with a retry policy go elsewhere", async () => {
		await using made = await lined({
			retryPolicy,
			hooks: { retry: () => void made.clock.advance(1_000) },
		});
		const call = made.client.echo({});
		await made.stop(1);
		await call;
		expect(made.fleet.seen()).toEqual({ a: 1, b: 1 });
	});

	test("keeps all its calls until there is another connection to go to", async () => {
		const decisions: string[] = [];
		await using made = await lined({
			retryPolicy,
			hooks: { retry: (_, { kind }) => decisions.push(kind) },
		});
		made.resolver.tell({ endpoints: made.fleet.endpoints("a") });
		await made.heard("b shutdown");
		const call = made.client.echo({});
		await made.stop(1);
		await made.clock.advance(2_000);
		expect(decisions).toEqual([]);
		made.goOn();
		answer((await made.request(1)).stream);
		made.fleet.get("a").does = ({ stream }) => answer(stream);
		for (let n = 0; n < 3; n++) await made.clock.advance(1_000);
		await call;
	});

	test("is left by pick_first, too, which finds another", async () => {
		await using made = await lined({ balancer: "pick_first" });
		const call = made.client.echo({});
		await made.stop(1);
		const outcomes = made.outcomes(5);
		// It is dialed again, too, and has a head start.
		await made.clock.advance(250);
		expect(await outcomes).toEqual({ ok: 5 });
		expect(made.fleet.seen()).toMatchObject({ b: 5 });
		made.goOn();
		answer((await made.request(1)).stream);
		await call;
	});

	test("lets the next hedge of a call go at once", async () => {
		await using made = await lined({
			hedgingPolicy: {
				maxAttempts: 2,
				hedgingDelay: "60s",
				nonFatalStatusCodes: ["UNAVAILABLE"],
			},
			timeout: 0,
		});
		const call = made.client.echo({});
		await made.stop(1);
		await call;
		expect(made.fleet.seen()).toEqual({ a: 1, b: 1 });
	});

	test("keeps calls that are throttled: they wait, and go on when it is heard again", async () => {
		const decisions: string[] = [];
		await using made = await lined({
			retryPolicy,
			serviceConfig: { retryThrottling: { maxTokens: 2, tokenRatio: 0.1 } },
			hooks: { retry: (_, { kind }) => decisions.push(kind) },
		});
		const calls = [1, 2, 3].map(() => made.client.echo({}));
		await made.stop(2);
		expect(decisions).toEqual([]);
		made.goOn();
		for (const n of [1, 2]) answer((await made.request(n)).stream);
		await Promise.all(calls);
	});

	test("is given up after 20 s, with the calls that are left", async () => {
		await using made = await lined({ timeout: "60s" });
		const call = errorOf(made.client.echo({}));
		await made.stop(1);
		for (let n = 0; n < 21; n++) await made.clock.advance(1_000);
		expect((await call).code).toBe(Code.Unavailable);
		expect((await call).rawMessage).toMatch(
			/no answer to a PING in 21 s: the peer is stopped, or cut off$/,
		);
	});
});

describe("a channel without calls", () => {
	test("lets connections be that have ended, until the next call, which makes all of them again", async () => {
		await using made = await connectedFleet("ab");
		expect(await made.outcomes(2)).toEqual({ ok: 2 });
		for (const name of ["a", "b"]) {
			made.fleet.get(name).cut();
			await made.heard(`${name} idle`);
			await made.clock.advance(60_000);
		}
		expect(made.core.state).toBe("idle");
		made.resolver.tell({ endpoints: made.fleet.endpoints("ab") });
		await made.clock.advance(60_000);
		expect(made.core.state).toBe("idle");
		expect(made.fleet.get("a").accepted).toBe(1);
		expect(await made.outcomes(1)).toEqual({ ok: 1 });
		for (const name of ["a", "b"]) await made.heard(`${name} ready`, 2);
		expect(made.core.state).toBe("ready");
	});

	test("connects again when it is told to", async () => {
		await using made = await connectedFleet("a");
		made.fleet.get("a").cut();
		await made.heard("a idle");
		await made.core.connect(undefined);
		expect(made.fleet.get("a").accepted).toBe(2);
	});

	test("with a call in flight makes another at once", async () => {
		await using made = await connectedFleet("ab");
		made.fleet.get("b").does = silent;
		const calls = [1, 2].map(() => made.client.echo({}).catch(() => {}));
		await made.fleet.get("b").request(1);
		made.fleet.get("a").cut();
		await made.heard("a ready", 2);
		await made.core.close(0);
		await Promise.all(calls);
	});
});

test("snapshot is plain and complete, and survives JSON", async () => {
	await using made = await connectedFleet("ab", { maxConcurrentCalls: 5 });
	await made.outcomes(2);
	await settled();
	const snapshot = made.core.snapshot();
	const endpoint = (name: string): object => ({
		endpoint: { address: made.fleet.get(name).address },
		state: "ready",
		ejected: false,
		connections: [
			{
				address: made.fleet.get(name).address,
				openCalls: expect.any(Number),
				hasRoom: true,
			},
		],
		openBreakers: [],
	});
	expect(JSON.parse(JSON.stringify(snapshot))).toEqual({
		target: "the resolver",
		state: "ready",
		callsInFlight: 0,
		callsWaiting: 0,
		callsQueued: 0,
		retryTokens: 100,
		retryBufferBytes: 0,
		inflations: { underWay: 0, bytes: 0, waiting: 0 },
		deflations: { underWay: 0, bytes: 0, waiting: 0 },
		endpoints: [endpoint("a"), endpoint("b")],
	});
});
