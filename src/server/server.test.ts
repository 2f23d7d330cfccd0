import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, test, vi } from "vitest";
import { RawClient } from "../../testdata/harness/raw-client.ts";
import {
	getOrder,
	processOrders,
	searchOrders,
	serving,
	text,
	updateOrders,
} from "../../testdata/harness/serving.ts";
import type { ServerOptions } from "./options/server-options.ts";
import { Server } from "./server.ts";

/** A handler that the test opens, and that tells when it has begun. */
function held() {
	const begun = Promise.withResolvers<void>();
	const open = Promise.withResolvers<void>();
	const handler = async () => {
		begun.resolve();
		await open.promise;
		return { id: "finished" };
	};
	return { handler, begun: begun.promise, open: open.resolve };
}

describe("options", () => {
	test.each([
		[
			{ maxConcurentStreams: 1 },
			"maxConcurentStreams: is not an option; did you mean maxConcurrentStreams?",
		],
		[{ interceptors: {} }, "interceptors: "],
		[{ interceptors: ["x"] }, "interceptors[0]: "],
		[{ readMaxBytes: -1 }, "readMaxBytes: "],
		[{ writeMaxBytes: "1" }, "writeMaxBytes: "],
		[{ maxConcurrentStreams: 0 }, "maxConcurrentStreams: "],
		[{ compression: "br" }, "compression: "],
		[{ health: 1 }, "health: "],
		[{ handleSignals: 1 }, "handleSignals: "],
		[{ handleSignals: { graceMs: -1 } }, "handleSignals.graceMs: "],
		[{ handleSignals: { grace: 1 } }, "handleSignals.grace: is not an option"],
		[{ onError: "x" }, "onError: "],
		[{ handshakeTimeout: 0 }, "handshakeTimeout: "],
		[{ handshakeTimeout: "10" }, "handshakeTimeout: "],
		[{ onRefused: "x" }, "onRefused: "],
		[{ keepalive: { time: 0 } }, "keepalive.time: "],
		[{ keepalive: { timeout: "x" } }, "keepalive.timeout: "],
		[{ keepalive: { every: 1 } }, "keepalive.every: is not an option"],
		[{ frameTimeout: 0 }, "frameTimeout: "],
		[{ maxUnreadRequestBytes: 0 }, "maxUnreadRequestBytes: "],
		[
			{ maxUnreadRequestBytes: 99, readMaxBytes: 100 },
			"maxUnreadRequestBytes: 99 is less than readMaxBytes, 100",
		],
		[{ maxInflations: 0 }, "maxInflations: "],
		[{ maxInflatingBytes: 0 }, "maxInflatingBytes: "],
		[{ tls: true }, "tls: "],
		[[], "options: "],
	])("%o are refused, and the message names the key", (options, message) => {
		expect(() => new Server(options as ServerOptions)).toThrow(message);
	});

	test("that are undefined have their defaults", () => {
		const absent: ServerOptions = {
			interceptors: undefined,
			tls: undefined,
			health: undefined,
			handleSignals: undefined,
			compression: undefined,
			readMaxBytes: undefined,
			writeMaxBytes: undefined,
			maxConcurrentStreams: undefined,
			onError: undefined,
			handshakeTimeout: undefined,
			onRefused: undefined,
			keepalive: undefined,
			frameTimeout: undefined,
			maxUnreadRequestBytes: undefined,
			maxInflations: undefined,
			maxInflatingBytes: undefined,
		};
		expect(new Server(absent).snapshot()).toEqual(new Server().snapshot());
	});

	test("of shutdown are checked as well", () => {
		const server = new Server();
		expect(() => server.shutdown({ graceMs: -1 })).toThrow("graceMs: ");
		expect(() => server.shutdown({ grace: 1 } as object)).toThrow(
			"grace: is not an option; the options here are graceMs, propagationMs",
		);
	});
});

describe("maxConcurrentStreams", () => {
	test("is announced to clients, and 1000 by default", async () => {
		for (const [options, expected] of [
			[{ maxConcurrentStreams: 7 }, 7],
			[{}, 1000],
		] as const) {
			await using served = await serving({ getOrder: () => ({}) }, options);
			await once(served.client.session, "remoteSettings");
			expect(served.client.session.remoteSettings).toMatchObject({
				maxConcurrentStreams: expected,
				maxHeaderListSize: 16_384,
			});
		}
	});

	test("makes clients hold back further calls", async () => {
		const { handler, begun, open } = held();
		await using served = await serving(
			{ getOrder: handler },
			{ maxConcurrentStreams: 1 },
		);
		await once(served.client.session, "remoteSettings");
		const calls = [1, 2].map(() =>
			served.client.open(getOrder).send(text("a")).end(),
		);
		await begun;
		expect(served.server.snapshot().calls.started).toBe(1);
		open();
		for (const call of calls) expect((await call.outcome).status).toBe(0);
		expect(served.server.snapshot().calls.started).toBe(2);
	});
});

describe("shutdown", () => {
	test("lets calls in flight finish, and takes no new ones", async () => {
		const { handler, begun, open } = held();
		await using served = await serving({ getOrder: handler });
		const call = served.client.open(getOrder).send(text("a")).end();
		await begun;
		const goaway = once(served.client.session, "goaway");
		const shutdown = served.server.shutdown();
		await goaway;
		expect(served.server.snapshot().state).toBe("shuttingDown");
		const refused = connect(Number(served.address.split(":")[1]), "127.0.0.1");
		const [error] = await once(refused, "error");
		expect(error).toMatchObject({ code: "ECONNREFUSED" });
		open();
		expect((await call.outcome).status).toBe(0);
		await shutdown;
		expect(served.server.snapshot()).toMatchObject({
			state: "shutDown",
			addresses: [],
			connections: 0,
			calls: { started: 1, succeeded: 1, failed: 0, inFlight: 0 },
		});
	});

	test("disconnects a client that was still connecting", async () => {
		const { handler, begun, open } = held();
		await using served = await serving({ getOrder: handler });
		const late = connect(Number(served.address.split(":")[1]), "127.0.0.1");
		await once(late, "connect");
		const call = served.client.open(getOrder).send(text("a")).end();
		await begun;
		const goaway = once(served.client.session, "goaway");
		const shutdown = served.server.shutdown();
		await goaway;
		const session = connectHttp2("http://late.test", {
			createConnection: () => late,
		});
		session.on("error", () => {});
		await once(session, "goaway");
		open();
		await Promise.all([call.outcome, shutdown]);
	});

	test("fails the calls that are left after graceMs with UNAVAILABLE, and fires their signals", async () => {
		const reasons: unknown[] = [];
		const wait = (_: unknown, { signal }: { signal: AbortSignal }) => {
			signal.addEventListener("abort", () => reasons.push(signal.reason));
			return new Promise<never>(() => {});
		};
		await using served = await serving({
			getOrder: wait,
			updateOrders: wait,
			async *searchOrders(request, context) {
				yield {};
				await wait(request, context);
			},
			async *processOrders(request, context) {
				yield {};
				await wait(request, context);
			},
		});
		const calls = [getOrder, searchOrders, updateOrders, processOrders].map(
			(path) => served.client.open(path).send(text("a")),
		);
		for (const call of calls.slice(0, 2)) call.end();
		await vi.waitFor(() =>
			expect(served.server.snapshot().calls.inFlight).toBe(4),
		);
		await (calls[1] as { headers: Promise<unknown> }).headers;
		await (calls[3] as { headers: Promise<unknown> }).headers;
		const start = performance.now();
		await served.server.shutdown({ graceMs: 100 });
		expect(performance.now() - start).toBeGreaterThan(95);
		for (const call of calls) {
			expect(await call.outcome).toMatchObject({
				status: 14,
				message: "the server is shutting down",
			});
		}
		expect(reasons).toHaveLength(4);
		expect(reasons[0]).toMatchObject({ code: 14 });
	});

	test("disconnects a client that does not read its last responses", async () => {
		await using served = await serving({
			async *searchOrders() {
				for (;;) yield { description: "x".repeat(1 << 20) };
			},
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		call.stream.pause();
		await call.headers;
		served.client.socket.pause();
		await served.server.shutdown({ graceMs: 50 });
		expect(served.server.snapshot().connections).toBe(0);
	});

	test("does not wait for a call that was answered while requests of it were still unread", async () => {
		await using served = await serving({
			updateOrders: async () => {
				await new Promise((resolve) => setTimeout(resolve, 50));
				return {};
			},
		});
		const call = served.client.open(updateOrders);
		for (let i = 0; i < 20; i++) call.send(new Uint8Array(20_000));
		expect((await call.end().outcome).status).toBe(0);
		const start = performance.now();
		await served.server.shutdown({ graceMs: 5_000 });
		expect(performance.now() - start).toBeLessThan(4_000);
	});

	test("returns the same promise every time", async () => {
		const server = new Server();
		await server.listen("127.0.0.1:0");
		const first = server.shutdown({ graceMs: 5 });
		expect(server.shutdown()).toBe(first);
		await first;
		expect(server.shutdown()).toBe(first);
		expect(server[Symbol.asyncDispose]()).toBe(first);
	});

	test("is called at the end of `await using`", async () => {
		let server: Server;
		let port: number;
		{
			await using scoped = new Server();
			server = scoped;
			({ port } = await scoped.listen("127.0.0.1:0"));
		}
		expect(server.snapshot().state).toBe("shutDown");
		const [error] = await once(connect(port, "127.0.0.1"), "error");
		expect(error).toMatchObject({ code: "ECONNREFUSED" });
	});

	test("takes no time for a server that never listened, and with idle clients", async () => {
		await new Server().shutdown();
		await using served = await serving({ getOrder: () => ({}) });
		await served.client.open(getOrder).send(text("a")).end().outcome;
		await using idle = new RawClient(served.address);
		await once(idle.session, "remoteSettings");
		const silent = connect(Number(served.address.split(":")[1]), "127.0.0.1");
		silent.on("error", () => {});
		await once(silent, "connect");
		const start = performance.now();
		await served.server.shutdown();
		expect(performance.now() - start).toBeLessThan(2000);
	});

	test("also closes a listener that was still being opened", async () => {
		const server = new Server();
		const path = join(tmpdir(), `homing-${process.pid}.sock`);
		const listening = server.listen(`unix:${path}`);
		const shutdown = server.shutdown();
		await expect(listening).rejects.toThrow(/has been shut down/);
		await shutdown;
		expect(server.snapshot().addresses).toEqual([]);
		expect(existsSync(path)).toBe(false);
	});

	test("loses no call of a grpc-js client: it hears of the shutdown, and calls in flight finish", async () => {
		const { handler, open } = held();
		await using first = await serving({ getOrder: handler });
		const client = new grpc.Client(
			first.address,
			grpc.credentials.createInsecure(),
		);
		const same = (bytes: Buffer): Buffer => bytes;
		const call = (): Promise<Buffer | undefined> =>
			new Promise((resolve, reject) =>
				client.makeUnaryRequest(
					getOrder,
					same,
					same,
					Buffer.from(text("a")),
					(error, response) => (error ? reject(error) : resolve(response)),
				),
			);
		const calls = Array.from({ length: 50 }, call);
		await vi.waitFor(() =>
			expect(first.server.snapshot().calls.inFlight).toBe(50),
		);
		const shutdown = first.server.shutdown();
		setImmediate(open);
		expect(await Promise.all(calls)).toHaveLength(50);
		await shutdown;
		client.close();
	});
});

describe("snapshot", () => {
	test("is a copy of the state and the counters", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		await served.client.open(getOrder).send(text("a")).end().outcome;
		const snapshot = served.server.snapshot();
		expect(snapshot).toEqual({
			state: "serving",
			addresses: [served.address],
			services: ["grpc.health.v1.Health", "ecommerce.OrderManagement"],
			serving: {
				"": true,
				"grpc.health.v1.Health": true,
				"ecommerce.OrderManagement": true,
			},
			connections: 1,
			refused: {},
			unreadRequestBytes: 0,
			inflations: { underWay: 0, bytes: 0, waiting: 0 },
			deflations: { underWay: 0, bytes: 0, waiting: 0 },
			calls: { started: 1, succeeded: 1, failed: 0, inFlight: 0 },
		});
		expect(structuredClone(snapshot)).toEqual(snapshot);
	});
});
