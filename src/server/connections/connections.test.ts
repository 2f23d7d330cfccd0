import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { Code, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { FrameClient } from "../../../testdata/harness/frame-client.ts";
import { framed, RawClient } from "../../../testdata/harness/raw-client.ts";
import {
	getOrder,
	searchOrders,
	serving,
	text,
} from "../../../testdata/harness/serving.ts";
import { makeIdentity } from "../../../testdata/peers/node/certificates.ts";
import {
	errorCode,
	flag,
	frameType,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";
import { Refusals } from "../limits/refusals.ts";
import { ResetBudget } from "../limits/reset-budget.ts";
import type { ServerTls, ServerTlsOptions } from "../options/tls-options.ts";
import { Connections, type ConnectionsInit } from "./connections.ts";

/** What accepts, in time that stands still. */
async function accepting(
	tls?: ServerTls,
	onSocket: (socket: Socket) => void = () => {},
	init: Partial<ConnectionsInit> = {},
) {
	const clock = new FakeClock();
	const refused: string[] = [];
	const failures: string[] = [];
	const refusals = new Refusals((what) => refused.push(what));
	const connections = new Connections({
		clock,
		tls,
		maxConcurrentStreams: 1,
		maxMetadataBytes: 16 * 1024,
		handshakeTimeoutMs: 10_000,
		liveness: {
			keepaliveTimeMs: 7_200_000,
			keepaliveTimeoutMs: 20_000,
			frameTimeoutMs: 60_000,
		},
		refusals,
		resets: new ResetBudget(clock),
		onCall: (call) => call.finish([":status", "200"], undefined, false),
		onTlsFailure: (error) => failures.push(String(error)),
		...init,
	});
	const server = createServer((socket) => {
		connections.accept(socket);
		onSocket(socket);
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return {
		clock,
		refused,
		refusals,
		failures,
		connections,
		port,
		[Symbol.dispose]: () => {
			connections.destroy();
			server.close();
		},
	};
}

describe("a client that connects and", () => {
	test("sends nothing is disconnected after 10 s", async () => {
		using accepted = await accepting();
		const { clock, connections, port } = accepted;
		const silent = connect(port, "127.0.0.1");
		const closed = once(silent, "close");
		silent.on("error", () => {}).resume();
		await using good = new RawClient(`127.0.0.1:${port}`);
		await vi.waitFor(() => {
			expect(connections.size).toBe(1);
			expect(clock.pending).toBe(2);
		});

		await clock.advance(9_999);
		expect(silent.destroyed).toBe(false);
		await clock.advance(1);
		await closed;
		expect(good.session.destroyed).toBe(false);
		expect(accepted.refused).toEqual([
			"handshakeTimeout: 10 s were not enough for HTTP/2's preface and SETTINGS",
		]);
		expect(accepted.refusals.counts).toEqual({ handshakeTimeout: 1 });
	});

	test("waits for a `tls` function that hangs is disconnected after 10 s", async () => {
		using accepted = await accepting(() => new Promise<never>(() => {}));
		const client = connect(accepted.port, "127.0.0.1");
		const closed = once(client, "close");
		client.on("error", () => {}).resume();
		await vi.waitFor(() => expect(accepted.clock.pending).toBe(2));
		// Nothing was ever there to go on with.
		await accepted.clock.advance(5_000);
		await closed;
		expect(accepted.failures).toEqual([
			"Error: the function `tls` has not answered in 5 s",
		]);
		expect(accepted.clock.pending).toBe(0);
	});

	test("has waited for the `tls` function has the rest of the 10 s for its handshake", async () => {
		const { certificate: cert, key } = makeIdentity({ commonName: "server" });
		const slow = Promise.withResolvers<ServerTlsOptions>();
		using accepted = await accepting(() => slow.promise);
		const { clock } = accepted;
		const client = connect(accepted.port, "127.0.0.1");
		const closed = once(client, "close");
		client.on("error", () => {}).resume();
		await vi.waitFor(() => expect(clock.pending).toBe(2));
		await clock.advance(4_000);
		slow.resolve({ cert, key });
		await vi.waitFor(() => expect(clock.pending).toBe(1));
		await clock.advance(5_999);
		expect(client.destroyed).toBe(false);
		await clock.advance(1);
		await closed;
		expect(accepted.refused).toEqual([
			"handshakeTimeout: 10 s were not enough for the handshake of TLS",
		]);
	});

	test("speaks TLS but no HTTP/2 is disconnected after 10 s", async () => {
		const { certificate: cert, key } = makeIdentity({ commonName: "server" });
		using accepted = await accepting({ cert, key });
		const client = connectTls({
			port: accepted.port,
			rejectUnauthorized: false,
			ALPNProtocols: ["h2"],
		});
		client.on("error", () => {}).resume();
		await once(client, "secureConnect");
		const closed = once(client, "close");
		await accepted.clock.advance(9_999);
		expect(client.destroyed).toBe(false);
		await accepted.clock.advance(1);
		await closed;
		expect(accepted.refused).toEqual([
			"handshakeTimeout: 10 s were not enough for HTTP/2's preface and SETTINGS",
		]);
	});

	test("connects while the `tls` function hangs gets the last certificate", async () => {
		const { certificate: cert, key } = makeIdentity({ commonName: "server" });
		let hangs = false;
		using accepted = await accepting(() =>
			hangs ? new Promise<never>(() => {}) : { cert, key },
		);
		await accepted.connections.check();
		hangs = true;
		const session = connectHttp2(`https://127.0.0.1:${accepted.port}`, {
			rejectUnauthorized: false,
		});
		await vi.waitFor(() => expect(accepted.clock.pending).toBe(2));
		await accepted.clock.advance(5_000);
		await once(session, "remoteSettings");
		expect(accepted.failures).toHaveLength(1);
		await vi.waitFor(() => expect(accepted.connections.size).toBe(1));
		// It is past the handshake, and stays.
		await accepted.clock.advance(60_000);
		expect(session.destroyed).toBe(false);
		expect(accepted.refused).toEqual([]);
		session.destroy();
	});

	test("fails its handshake is reported with the reason", async () => {
		const { certificate: cert, key } = makeIdentity({ commonName: "server" });
		using accepted = await accepting({ cert, key });
		const { refused, refusals, port } = accepted;
		const connected = (client: Socket): Promise<unknown> => {
			client.on("error", () => {}).resume();
			return new Promise((resolve) => client.once("close", resolve));
		};
		const here = { port, host: "127.0.0.1", rejectUnauthorized: false };
		await connected(connectTls({ ...here, ALPNProtocols: ["http/1.1"] }));
		await connected(connectTls(here));
		const plain = connect(port, "127.0.0.1");
		plain.write("GET / HTTP/1.1\r\n\r\n");
		await connected(plain);
		await vi.waitFor(() => expect(refusals.counts).toEqual({ handshake: 3 }));
		expect(refused[0]).toMatch(/^handshake: .*application protocol/);
		expect(refused[1]).toBe(
			"handshake: the client did not ask for HTTP/2 (ALPN)",
		);
		expect(refused[2]).toMatch(/^handshake: .*http request/);
		// Who only looks whether the port is open is not.
		const probe = connect(port, "127.0.0.1");
		await once(probe, "connect");
		probe.end();
		await once(probe.resume(), "close");
		expect(refusals.counts).toEqual({ handshake: 3 });
	});

	test("speaks HTTP/1.1 is reported", async () => {
		using accepted = await accepting();
		const plain = connect(accepted.port, "127.0.0.1");
		plain.write("GET / HTTP/1.1\r\n\r\n");
		plain.on("error", () => {}).resume();
		await once(plain, "close");
		await vi.waitFor(() =>
			expect(accepted.refused).toEqual([
				expect.stringMatching(/^handshake: .*bad client magic/i),
			]),
		);
	});

	test("comes after all connections have been closed is disconnected at once", async () => {
		using accepted = await accepting(undefined, (socket) =>
			expect(socket.destroyed).toBe(true),
		);
		accepted.connections.destroy();
		const late = connect(accepted.port, "127.0.0.1");
		late.on("error", () => {}).resume();
		await once(late, "close");
	});

	test("speaks another protocol is refused", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const client = connect(Number(served.address.split(":")[1]), "127.0.0.1");
		client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
		client.on("error", () => {}).resume();
		await once(client, "close");
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
	});

	test("leaves at once does no harm", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		for (let i = 0; i < 20; i++) {
			const client = connect(Number(served.address.split(":")[1]), "127.0.0.1");
			client.on("error", () => {});
			await once(client, "connect");
			client.write("PRI * HTTP/2.0\r\n\r\nSM".slice(0, i));
			client.resetAndDestroy();
		}
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
		await vi.waitFor(() =>
			expect(served.server.snapshot().connections).toBe(1),
		);
	});
});

describe("a client that speaks HTTP/2 and then", () => {
	const pings = ({ frames }: FrameClient) =>
		frames.filter(({ type }) => type === frameType.ping).length;

	/** Has its SETTINGS acknowledged, and acknowledges the server's. */
	async function greeted(accepted: {
		port: number;
		connections: Connections;
	}): Promise<FrameClient> {
		const client = await FrameClient.connect(`127.0.0.1:${accepted.port}`);
		await vi.waitFor(() => expect(accepted.connections.size).toBe(1));
		return client;
	}

	test("is silent gets a PING after 2 h, and is disconnected if it does not answer in 20 s", async () => {
		using accepted = await accepting();
		const { clock, refused } = accepted;
		using client = await greeted(accepted);
		await using good = new RawClient(`127.0.0.1:${accepted.port}`);
		await vi.waitFor(() => expect(accepted.connections.size).toBe(2));
		const asked = once(good.session, "ping");
		await clock.advance(7_185_000);
		expect(pings(client)).toBe(0);
		await clock.advance(30_000);
		await client.received(({ type }) => type === frameType.ping);
		await asked;
		expect(refused).toEqual([]);
		await new Promise((resolve) => setTimeout(resolve, 100));
		await clock.advance(20_000);
		expect(refused).toEqual([
			"keepalive: no answer to a PING in 20 s: the client is stopped, or cut off",
		]);
		await vi.waitFor(() => expect(client.socket.closed).toBe(true));
		expect(pings(client)).toBe(1);
		expect(good.session.destroyed).toBe(false);
	});

	test.each([
		[
			"a header of a frame",
			Buffer.of(0, 0, 9, frameType.headers, flag.endHeaders),
		],
		[
			"a header block",
			Buffer.of(0, 0, 9, frameType.headers, flag.endHeaders, 0, 0, 0, 1, 0x83),
		],
		[
			"a header block between its frames",
			Buffer.of(0, 0, 1, frameType.headers, 0, 0, 0, 0, 1, 0x83),
		],
	])("stops inside of %s is cut off within a minute", async (_, bytes) => {
		using accepted = await accepting();
		using client = await greeted(accepted);
		await nextTurn();
		client.socket.write(bytes);
		await new Promise((resolve) => setTimeout(resolve, 50));
		await accepted.clock.advance(30_000);
		expect(accepted.refused).toEqual([]);
		await accepted.clock.advance(30_000);
		expect(accepted.refused).toEqual([
			"frameTimeout: a frame, or a request's headers, did not end in 60 s",
		]);
		await vi.waitFor(() => expect(client.socket.closed).toBe(true));
	});

	test("sends its headers byte by byte is disconnected as well", async () => {
		using accepted = await accepting();
		using client = await greeted(accepted);
		const block = Buffer.of(0, 0, 99, frameType.headers, 4, 0, 0, 0, 1);
		for (const byte of Buffer.concat([block, Buffer.alloc(9, 0x83)])) {
			client.socket.write(Buffer.of(byte));
			await new Promise((resolve) => setTimeout(resolve, 5));
			await accepted.clock.advance(5_000);
		}
		expect(accepted.refused).toHaveLength(1);
	});

	test("only sends frames without effect gets a PING, and stays if it answers", async () => {
		using accepted = await accepting();
		using client = await greeted(accepted);
		const windowUpdate = (): void =>
			client.frame(frameType.windowUpdate, 0, 0, Buffer.of(0, 0, 0, 1));
		for (let i = 0; i < 20; i++) {
			windowUpdate();
			await new Promise((resolve) => setTimeout(resolve, 5));
			await accepted.clock.advance(15_000);
			const asked = client.frames.filter(({ type }) => type === frameType.ping);
			for (const { payload } of client.frames.splice(0)) {
				if (asked.length > 0 && payload.length === 8) {
					client.frame(frameType.ping, 1, 0, payload);
				}
			}
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		expect(accepted.refused).toEqual([]);
		expect(client.socket.closed).toBe(false);
	});
});

describe("a client that stops inside a message", () => {
	test.each([
		[false, "gets a PING, and is disconnected if it does not answer"],
		[true, "stays if it answers"],
	])("(answers: %o) %s", async (answers) => {
		const refused: string[] = [];
		await using served = await serving(
			{ getOrder: () => ({}) },
			{ frameTimeout: "0.4s", onRefused: (what) => refused.push(what) },
		);
		using client = await FrameClient.connect(served.address);
		client.request(1, getOrder);
		client.frame(frameType.data, 0, 1, Buffer.of(0, 0, 0, 0, 9, 1, 2));
		const ping = await client.received(({ type }) => type === frameType.ping);
		if (answers) client.frame(frameType.ping, 1, 0, ping?.payload);
		if (answers) {
			await new Promise((resolve) => setTimeout(resolve, 300));
			client.frame(frameType.data, 1, 1, Buffer.alloc(7));
			await client.received(
				({ type, streamId }) => type === frameType.headers && streamId === 1,
			);
			expect(refused).toEqual([]);
		} else {
			await vi.waitFor(() => expect(client.socket.closed).toBe(true));
			expect(refused).toEqual([
				"frameTimeout: a frame, or a request's headers, did not end in 400 ms",
			]);
			await vi.waitFor(() =>
				expect(served.server.snapshot().calls.inFlight).toBe(0),
			);
		}
	});
});

describe("the headers of a request", () => {
	const headers = (bytes: number) => ({ "x-large": "x".repeat(bytes) });

	test("may take 16 KiB; a call with more fails with RESOURCE_EXHAUSTED, naming both numbers, and the connection goes on", async () => {
		const handler = vi.fn(() => ({}));
		await using served = await serving({ getOrder: handler });
		const large = served.client.open(getOrder, headers(15_000));
		expect((await large.send(text("a")).end().outcome).status).toBe(0);
		const larger = served.client.open(getOrder, headers(17_000));
		const { status, message } = await larger.send(text("a")).end().outcome;
		expect(status).toBe(Code.ResourceExhausted);
		expect(message).toMatch(/take 17\d\d\d bytes.* 16384 \(maxMetadataBytes\)/);
		const after = served.client.open(getOrder).send(text("a")).end();
		expect((await after.outcome).status).toBe(0);
		expect(handler).toHaveBeenCalledTimes(2);
	});

	test("may take maxMetadataBytes, in any number of entries", async () => {
		await using served = await serving(
			{ getOrder: () => ({}) },
			{ maxMetadataBytes: 128 * 1024 },
		);
		const entries = Array.from({ length: 2500 }, (_, i) => [`x-${i}`, "1"]);
		for (const sent of [headers(60_000), Object.fromEntries(entries)]) {
			const call = served.client.open(getOrder, sent).send(text("a")).end();
			expect((await call.outcome).status).toBe(0);
		}
	});

	test("are refused if many small entries exceed the limit", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const entries = Array.from({ length: 1000 }, (_, i) => [`x-${i}`, "1"]);
		const call = served.client.open(getOrder, Object.fromEntries(entries));
		const { status } = await call.send(text("a")).end().outcome;
		expect(status).toBe(Code.ResourceExhausted);
	});
});

describe("of a client that", () => {
	const frames = (count: number, type: number, streamId: number) =>
		Array.from({ length: count }, () => [type, streamId] as const);

	test.each([
		[
			"floods with empty DATA",
			frames(1100, frameType.data, 1),
			"Too many invalid HTTP/2 frames",
		],
		["breaks HTTP/2's rules", frames(1, frameType.data, 0), "Protocol error"],
	])("%s, onRefused hears", async (_, sent, why) => {
		using accepted = await accepting(undefined, undefined, {
			onCall: () => {},
		});
		await using good = new RawClient(`127.0.0.1:${accepted.port}`);
		using client = await FrameClient.connect(`127.0.0.1:${accepted.port}`);
		client.request(1, getOrder);
		await vi.waitFor(() => expect(accepted.connections.size).toBe(2));
		for (const [type, streamId] of sent) client.frame(type, 0, streamId);
		await client.received(() => false);
		await vi.waitFor(() =>
			expect(accepted.refused).toEqual([`protocol: ${why}`]),
		);
		expect(good.session.destroyed).toBe(false);
	});

	test.each([
		["ends its connection", (client: FrameClient) => client.socket.end()],
		["is lost", (client: FrameClient) => client.socket.resetAndDestroy()],
		[
			"says that it goes away",
			(client: FrameClient) =>
				client.frame(
					frameType.goAway,
					0,
					0,
					Buffer.from([0, 0, 0, 0, 0, 0, 0, 11]),
				),
		],
	])("%s, it does not", async (_, leave) => {
		using accepted = await accepting(undefined, undefined, {
			onCall: () => {},
		});
		using client = await FrameClient.connect(`127.0.0.1:${accepted.port}`);
		client.request(1, getOrder);
		await vi.waitFor(() => expect(accepted.connections.size).toBe(1));
		leave(client);
		await vi.waitFor(() => expect(accepted.connections.size).toBe(0));
		expect(accepted.refused).toEqual([]);
	});
});

describe("a client that resets its calls", () => {
	test("by the hundred, as happens when deadlines pass, keeps its connection", async () => {
		await using served = await serving({
			getOrder: ({ value }) =>
				value === "wait" ? new Promise<never>(() => {}) : {},
		});
		for (let batch = 0; batch < 10; batch++) {
			const calls = Array.from({ length: 200 }, () =>
				served.client.open(getOrder).send(text("wait")).end(),
			);
			await new Promise((resolve) => setImmediate(resolve));
			for (const call of calls) call.cancel();
			await Promise.all(calls.map((call) => call.outcome));
		}
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
	});
});

describe("resets", () => {
	/** Opens calls and resets them, on so many connections, so many times on each, until the server has heard it. */
	async function attack(
		address: string,
		connections: number,
		resets: number,
	): Promise<FrameClient[]> {
		const attackers = await Promise.all(
			Array.from({ length: connections }, () => FrameClient.connect(address)),
		);
		for (const attacker of attackers) {
			await attacker.received(({ type }) => type === frameType.settings);
			attacker.socket.cork();
			for (let i = 0; i < resets; i++) {
				attacker.request(2 * i + 1, getOrder);
				attacker.reset(2 * i + 1, errorCode.CANCEL);
			}
			attacker.frame(frameType.ping, 0, 0, Buffer.alloc(8));
			attacker.socket.uncork();
		}
		for (const attacker of attackers) {
			await attacker.received(({ type }) => type === frameType.ping);
		}
		return attackers;
	}

	test("count for all connections together: the one that exceeds the budget closes its connection, and the others go on", async () => {
		using served = await accepting(undefined, undefined, {
			resets: new ResetBudget(new FakeClock(), { perSecond: 0, burst: 1000 }),
			onCall: () => {},
		});
		const address = `127.0.0.1:${served.port}`;
		await using good = new RawClient(address);
		// Of those of each connection, 50 do not count.
		const attackers = await attack(address, 5, 250);
		expect(served.refusals.counts).toEqual({});
		const [last] = await attack(address, 1, 100);
		await last?.received(() => false);
		const calmed = last?.frames.find(({ type }) => type === frameType.goAway);
		expect(calmed?.payload.readUInt32BE(4)).toBe(errorCode.ENHANCE_YOUR_CALM);
		expect(last?.socket.closed).toBe(true);
		expect(served.refused).toEqual([
			"resets: clients have reset more calls than the server can bear",
		]);
		for (let i = 0; i < 20; i++) {
			await good.open(getOrder).cancel().outcome;
		}
		expect(good.session.destroyed).toBe(false);
		for (const attacker of attackers) {
			expect(attacker.socket.closed).toBe(false);
			attacker[Symbol.dispose]();
		}
	});

	test("beyond the budget close the connection at once, before further calls of it begin", async () => {
		let begun = 0;
		using served = await accepting(undefined, undefined, {
			resets: new ResetBudget(new FakeClock(), { perSecond: 0, burst: 10 }),
			onCall: () => {
				begun += 1;
			},
		});
		const [attacker] = await attack(`127.0.0.1:${served.port}`, 1, 3000);
		await attacker?.received(() => false);
		// What Node reads at a time, 64 KiB, holds 407.
		expect(begun).toBeLessThan(500);
		expect(served.refusals.counts).toEqual({ resets: 1 });
	});

	test("of one client whose deadlines pass close no connection", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const [client] = await attack(served.address, 1, 6000);
		client?.request(12_001, getOrder);
		const data = framed(text("a"));
		client?.frame(frameType.data, flag.endStream, 12_001, data);
		const answer = await client?.received(
			({ type, streamId }) => type === frameType.headers && streamId === 12_001,
		);
		expect(answer?.type).toBe(frameType.headers);
		expect(served.server.snapshot().refused).toEqual({});
		client?.[Symbol.dispose]();
	});
});

describe("a response that its client does not read", () => {
	const description = "x".repeat(1 << 20);

	test.each([
		["a whole one", { getOrder: () => ({ description }) }, getOrder],
		[
			"the last of a stream",
			{
				async *searchOrders() {
					yield { description };
				},
			},
			searchOrders,
		],
		[
			"the end of one that was begun",
			{
				async getOrder(_: unknown, context: HandlerContext) {
					context.responseHeader.set("x-begun", "1");
					return { description };
				},
			},
			getOrder,
		],
	])("is dropped when the deadline passes: %s", async (_, orders, path) => {
		await using served = await serving(orders);
		using client = await FrameClient.connect(served.address);
		const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);
		client.frame(frameType.settings, 0, 0, noWindow);
		client.request(1, path, [["grpc-timeout", "200m"]]);
		client.frame(frameType.data, flag.endStream, 1, framed(text("a")));
		const reset = await client.received(({ type }) => type === frameType.reset);
		expect(reset?.payload.readUInt32BE(0)).toBe(errorCode.CANCEL);
	});

	test("keeps no timer when its client has gone", async () => {
		const before = timers();
		await using served = await serving({ getOrder: () => ({ description }) });
		const client = await FrameClient.connect(served.address);
		client.frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
		client.request(1, getOrder, [["grpc-timeout", "1H"]]);
		client.frame(frameType.data, flag.endStream, 1, framed(text("a")));
		await client.received(({ type }) => type === frameType.headers);
		const { server } = served;
		while (server.snapshot().calls.succeeded === 0) await nextTurn();
		while (server.snapshot().connections < 2) await nextTurn();
		expect(timers()).toBe(before + 1);
		client[Symbol.dispose]();
		while (server.snapshot().connections > 1) await nextTurn();
		await nextTurn();
		expect(timers()).toBe(before);
	});

	/** Those that keep the process alive. */
	function timers(): number {
		const resources = process.getActiveResourcesInfo();
		return resources.filter((each) => each === "Timeout").length;
	}
});

describe("large messages", () => {
	test("are not refused, however many come at the same time", async () => {
		const description = "x".repeat(1 << 20);
		await using served = await serving({ getOrder: () => ({ description }) });
		const calls = Array.from({ length: 30 }, () =>
			served.client.open(getOrder).send(text("a")).end(),
		);
		for (const call of calls) expect((await call.outcome).status).toBe(0);
	});
});
