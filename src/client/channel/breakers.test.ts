/** Circuit breakers, one for each method at each endpoint, as calls meet them. */

import { AsyncLocalStorage } from "node:async_hooks";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	type Answer,
	answering,
	busy,
	errorOf,
	fine,
} from "../../../testdata/harness/attempts.ts";
import { clientInTime } from "../../../testdata/harness/client-in-time.ts";
import {
	connectedFleet,
	type FleetClient,
	type FleetOptions,
	fleetOf,
} from "../../../testdata/harness/fleet.ts";
import { answer, refuse } from "../../../testdata/harness/http2-server.ts";
import { seeded } from "../../../testdata/harness/seeded.ts";
import {
	EchoService,
	ReqSchema,
	RespSchema,
} from "../../../testdata/services/gen/echo/echo_pb.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { HelloServer } from "../../../testdata/services/gen/hello/hello_pb.ts";
import type { HelloServerClient } from "../../../testdata/services/gen/hello/hello_rpc.ts";
import { Channel } from "../channel.ts";
import type { CircuitBreakerOptions } from "../options/circuit-breaker-options.ts";

const outlierDetection = false;

/** Opens at the fourth failure. */
const circuitBreaker = { minimumCalls: 4 };

function breaking(
	names: string,
	options: FleetOptions = {},
): Promise<FleetClient> {
	return connectedFleet(names, {
		outlierDetection,
		circuitBreaker,
		...options,
	});
}

/** One server, at which the breaker of Echo is open. */
async function open(options: CircuitBreakerOptions = {}): Promise<FleetClient> {
	const made = await breaking("a", {
		circuitBreaker: { ...circuitBreaker, ...options },
	});
	made.fleet.get("a").does = busy;
	for (let n = 0; n < 4; n++) await made.client.echo({}).catch(() => {});
	expect(made.verdicts()).toHaveLength(1);
	made.fleet.seen();
	return made;
}

test("there are none unless they are switched on", async () => {
	await using made = await connectedFleet("a", { outlierDetection });
	made.fleet.get("a").does = busy;
	await made.outcomes(100);
	expect(made.fleet.seen()).toEqual({ a: 100 });
	expect(made.verdicts()).toEqual([]);
});

test("{} switches them on, with 20 calls of which half have failed", async () => {
	await using made = await breaking("a", { circuitBreaker: {} });
	let calls = 0;
	made.fleet.get("a").does = (request) =>
		(++calls % 2 === 0 ? fine : busy)(request);
	await made.outcomes(30);
	expect(made.fleet.seen()).toEqual({ a: 20 });
	expect(made.verdicts()).toEqual([
		"a breakerOpen: echo.EchoService/Echo: 10 of 20 calls failed in 10 s",
	]);
});

test("an open breaker refuses at once with UNAVAILABLE that says so, and nothing is sent", async () => {
	await using made = await open();
	const error = await errorOf(made.client.echo({}));
	expect(error.code).toBe(Code.Unavailable);
	expect(error.rawMessage).toBe(
		`the circuit breaker of echo.EchoService/Echo at ${made.fleet.get("a").address} is open: 4 of 4 calls failed in 10 s, the last with [unavailable]; it lets a probe through in 5 s`,
	);
	expect(made.fleet.seen()).toEqual({ a: 0 });
});

test("RESOURCE_EXHAUSTED opens it, answers of a server that works do not", async () => {
	const all: Answer[] = [8, 5, 2, 2020].map(
		(code) =>
			({ stream }) =>
				refuse(stream, code),
	);
	for (const [index, does] of all.entries()) {
		await using made = await breaking("a");
		made.fleet.get("a").does = does;
		await made.outcomes(10);
		expect(made.verdicts()).toHaveLength(index === 0 ? 1 : 0);
	}
});

test("what this side ends, as it does with requests that are too large, is nothing against the server", async () => {
	await using made = await connectedFleet("ab", {
		circuitBreaker,
		maxRequestMessageBytes: 100,
	});
	const mes = "x".repeat(1_000);
	for (let n = 0; n < 20; n++) {
		const error = await errorOf(made.client.echo({ mes }));
		expect(error.code).toBe(Code.ResourceExhausted);
	}
	expect(made.verdicts()).toEqual([]);
	expect(await made.outcomes(4)).toEqual({ ok: 4 });
});

test("where it is open calls go past it, to endpoints where it is not", async () => {
	await using made = await breaking("abc");
	made.fleet.get("b").does = busy;
	expect(await made.outcomes(12)).toEqual({ ok: 8, unavailable: 4 });
	made.fleet.seen();
	expect(await made.outcomes(12)).toEqual({ ok: 12 });
	expect(made.fleet.seen()).toMatchObject({ b: 0 });
});

test.each(["least_request", "ring_hash"])("with %s, too", async (balancer) => {
	await using made = await fleetOf("ab", {
		outlierDetection,
		circuitBreaker,
		balancer,
		environment: { random: seeded(1) },
	});
	made.fleet.get("a").does = busy;
	while (made.verdicts().length === 0) {
		await Promise.all(Array.from({ length: 8 }, () => made.outcomes(1)));
	}
	await made.heard("b ready");
	made.fleet.seen();
	expect(await made.outcomes(20)).toEqual({ ok: 20 });
	expect(made.fleet.seen()).toEqual({ a: 0, b: 20 });
});

test("when it is open at all of them calls fail at once", async () => {
	await using made = await breaking("ab");
	for (const server of made.fleet.servers) server.does = busy;
	await made.outcomes(8);
	expect(made.verdicts()).toHaveLength(2);
	made.fleet.seen();
	expect((await errorOf(made.client.echo({}))).rawMessage).toMatch(
		/^the circuit breaker of echo.EchoService\/Echo at \S+ is open/,
	);
	expect(made.fleet.seen()).toEqual({ a: 0, b: 0 });
});

test("a call that would wait for a connection is refused, too", async () => {
	await using made = await open();
	const call = errorOf(made.client.echo({}, { waitForReady: true }));
	expect((await call).rawMessage).toMatch(/^the circuit breaker/);
});

test("it is of one method: others of the same server go on", async () => {
	const server = await answering([
		({ headers, stream }) =>
			headers[":path"]?.endsWith("/SayHello")
				? refuse(stream, 14, "busy")
				: answer(stream),
	]);
	await using made = clientInTime<HelloServerClient>(
		HelloServer,
		server.address,
		{ circuitBreaker },
	);
	for (let n = 0; n < 5; n++) await made.client.sayHello({}).catch(() => {});
	expect(server.seen).toHaveLength(4);
	await made.client.getHelloMsg({});
	expect(server.seen).toHaveLength(5);
	await server[Symbol.asyncDispose]();
});

test("after 5 s one probe at a time goes through; two that go well close it", async () => {
	await using made = await open();
	const { fleet, clock } = made;
	await clock.advance(4_999);
	expect(await made.outcomes(5)).toEqual({ unavailable: 5 });
	expect(fleet.seen()).toEqual({ a: 0 });
	await clock.advance(1);
	fleet.get("a").does = () => {};
	const probe = made.client.echo({});
	const { stream } = await fleet.get("a").request(5);
	expect((await errorOf(made.client.echo({}))).rawMessage).toMatch(
		/is half open: a probe is under way$/,
	);
	answer(stream);
	await probe;
	fleet.get("a").does = fine;
	expect(made.verdicts()).toHaveLength(1);
	expect(await made.outcomes(1)).toEqual({ ok: 1 });
	expect(made.verdicts().slice(1)).toEqual([
		"a breakerClosed: echo.EchoService/Echo: 2 probes went well",
	]);
	fleet.get("a").does = () => {};
	fleet.seen();
	const calls = [1, 2, 3].map(() => errorOf(made.client.echo({})));
	await fleet.get("a").request(9);
	await clock.advance(10_000);
	for (const call of calls) {
		expect((await call).code).toBe(Code.DeadlineExceeded);
	}
});

test("a probe that fails opens it for another 5 s", async () => {
	await using made = await open();
	await made.clock.advance(5_000);
	expect(await made.outcomes(3)).toEqual({ unavailable: 3 });
	expect(made.fleet.seen()).toEqual({ a: 1 });
	expect(made.verdicts().slice(1)).toEqual([
		"a breakerOpen: echo.EchoService/Echo: a probe failed with [unavailable]",
	]);
	await made.clock.advance(4_999);
	await made.outcomes(3);
	expect(made.fleet.seen()).toEqual({ a: 0 });
});

test("a probe that could not be sent leaves its place to the next call", async () => {
	await using made = await open();
	const { fleet, clock } = made;
	fleet.get("a").does = fine;
	await clock.advance(5_000);
	const headers = { "x-large": "x".repeat(200_000) };
	expect((await errorOf(made.client.echo({}, { headers }))).code).toBe(
		Code.ResourceExhausted,
	);
	expect(await made.outcomes(2)).toEqual({ ok: 2 });
});

test("a refusal is not tried again, as another attempt would fare no better", async () => {
	const retries: string[] = [];
	await using made = await breaking("a", {
		hooks: { retry: (_, { kind }) => retries.push(kind) },
		retryPolicy: {
			maxAttempts: 4,
			initialBackoff: "1s",
			maxBackoff: "1s",
			backoffMultiplier: 1,
			retryableStatusCodes: ["UNAVAILABLE"],
		},
	});
	const { fleet, clock } = made;
	fleet.get("a").does = busy;
	const first = made.outcomes(1);
	while (made.verdicts().length === 0) await clock.advance(1_000);
	expect(await first).toEqual({ unavailable: 1 });
	expect(fleet.seen()).toEqual({ a: 4 });
	retries.length = 0;
	expect(await made.outcomes(1)).toEqual({ unavailable: 1 });
	expect(fleet.seen()).toEqual({ a: 0 });
	expect(retries).toEqual([]);
});

test("snapshot shows where breakers are open", async () => {
	await using made = await open();
	expect(made.core.snapshot()).toMatchObject({
		endpoints: [{ openBreakers: ["echo.EchoService/Echo"] }],
	});
	await made.clock.advance(5_000);
	made.fleet.get("a").does = fine;
	await made.outcomes(2);
	expect(made.core.snapshot()).toMatchObject({
		endpoints: [{ openBreakers: [] }],
	});
});

describe("fallback", () => {
	test("gives the message instead of the error, which it is told, with the call", async () => {
		const told: unknown[] = [];
		await using made = await open({
			fallback(call, error) {
				told.push(call.method, call.header.get("x-a"), error);
				return { resp: "from the cache" };
			},
		});
		const { resp } = await made.client.echo({}, { headers: { "x-a": "1" } });
		expect(resp).toBe("from the cache");
		expect(told).toEqual(["Echo", "1", expect.any(ConnectError)]);
		expect((told[2] as ConnectError).rawMessage).toMatch(
			/^the circuit breaker/,
		);
	});

	test("may give a whole message, none of its fields, and take its time", async () => {
		const results = [
			async () => create(RespSchema, { resp: "whole" }),
			() => undefined,
		];
		await using made = await open({ fallback: () => results.shift()?.() });
		expect((await made.client.echo({})).resp).toBe("whole");
		expect((await made.client.echo({})).resp).toBe("");
	});

	test("is asked for nothing but refusals", async () => {
		let asked = 0;
		await using made = await breaking("a", {
			circuitBreaker: { ...circuitBreaker, fallback: () => ++asked },
		});
		made.fleet.get("a").does = busy;
		expect(await made.outcomes(4)).toEqual({ unavailable: 4 });
		expect(asked).toBe(0);
	});

	test("may throw another error, which is the call's", async () => {
		const thrown = [
			new ConnectError("nothing in the cache", Code.NotFound),
			new Error("the cache is on fire"),
		];
		await using made = await open({
			fallback() {
				throw thrown.shift();
			},
		});
		const first = await errorOf(made.client.echo({}));
		expect([first.code, first.rawMessage]).toEqual([
			Code.NotFound,
			"nothing in the cache",
		]);
		const second = await errorOf(made.client.echo({}));
		expect([second.code, second.rawMessage]).toEqual([
			Code.Unknown,
			"the cache is on fire",
		]);
	});

	test("that returns something else makes the call fail with INTERNAL, naming it", async () => {
		const results = ["text", create(ReqSchema)];
		await using made = await open({ fallback: () => results.shift() });
		for (const why of [/"text" is neither/, /it is a echo.Req/]) {
			const error = await errorOf(made.client.echo({}));
			expect(error.code).toBe(Code.Internal);
			expect(error.rawMessage).toMatch(
				/^circuitBreaker.fallback returned no echo.Resp: /,
			);
			expect(error.rawMessage).toMatch(why);
		}
	});

	test("does not outlast the call's deadline, nor its caller", async () => {
		await using made = await open({ fallback: () => new Promise(() => {}) });
		const late = errorOf(made.client.echo({}, { timeoutMs: 100 }));
		await made.clock.advance(100);
		expect((await late).code).toBe(Code.DeadlineExceeded);
		expect((await late).rawMessage).toBe(
			"the deadline of 100 ms passed while waiting for circuitBreaker.fallback",
		);
		const controller = new AbortController();
		const left = errorOf(made.client.echo({}, { signal: controller.signal }));
		await made.clock.advance(0);
		controller.abort();
		expect((await left).code).toBe(Code.Canceled);
	});

	test("is part of the call: hooks hear how that ends, and who asked is who answers", async () => {
		const ends: unknown[] = [];
		const store = new AsyncLocalStorage<string>();
		await using made = await breaking("a", {
			circuitBreaker: {
				...circuitBreaker,
				fallback: () => ({ resp: store.getStore() ?? "" }),
			},
			maxConcurrentCalls: 1,
			hooks: { callEnd: (_, { code, attempts }) => ends.push(code, attempts) },
		});
		made.fleet.get("a").does = busy;
		await made.outcomes(4);
		ends.length = 0;
		// The second waits in the queue, and is let out by the end of the first.
		const answers = await Promise.all(
			["Ada", "Bob"].map((name) => store.run(name, () => made.client.echo({}))),
		);
		expect(answers.map(({ resp }) => resp)).toEqual(["Ada", "Bob"]);
		expect(ends).toEqual([undefined, 0, undefined, 0]);
	});

	test("is not for streams", async () => {
		let asked = 0;
		const server = await answering([busy]);
		await using made = clientInTime<OrderManagementClient>(
			OrderManagement,
			server.address,
			{ circuitBreaker: { ...circuitBreaker, fallback: () => ++asked } },
		);
		const search = (): Promise<unknown> =>
			made.client.searchOrders({ value: "x" }).recv();
		for (let n = 0; n < 4; n++) await errorOf(search());
		expect((await errorOf(search())).rawMessage).toMatch(
			/^the circuit breaker/,
		);
		expect(asked).toBe(0);
		await server[Symbol.asyncDispose]();
	});

	test("serves calls over a Channel as a Connect Transport, too", async () => {
		const server = await answering([busy]);
		await using channel = new Channel(server.address, {
			circuitBreaker: {
				...circuitBreaker,
				fallback: () => ({ resp: "cached" }),
			},
		});
		const echo = () =>
			channel.unary(
				EchoService.method.echo,
				undefined,
				undefined,
				undefined,
				{},
			);
		for (let n = 0; n < 4; n++) await errorOf(echo());
		expect((await echo()).message.resp).toBe("cached");
		await server[Symbol.asyncDispose]();
	});
});
