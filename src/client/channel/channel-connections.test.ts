import type { ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { clientInTime } from "../../../testdata/harness/client-in-time.ts";
import { tapFrames } from "../../../testdata/harness/frame-tap.ts";
import {
	answer,
	type RunningServer,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { beginStreamsAt } from "../../../testdata/harness/stream-ids.ts";
import {
	errorCode,
	frameType,
	type RawStream,
	startRawServer,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { channelOf } from "../client-object.ts";
import type { ClientOptions } from "../options/client-options.ts";

/** Looks again until it holds. */
async function until(holds: () => boolean): Promise<void> {
	while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const EMPTY_MESSAGE = Buffer.alloc(5);

/** A whole response, of a raw server. */
function answerRaw(stream: RawStream): void {
	stream.headers([
		[":status", "200"],
		["content-type", "application/grpc"],
	]);
	stream.data(EMPTY_MESSAGE);
	stream.headers([["grpc-status", "0"]], true);
}

test("a connection whose stream ids are nearly used up is replaced, and no call fails", async () => {
	await using server = await serveStreams((stream) => answer(stream));
	await using client = NewEchoServiceClient(server.address);
	const begin = 2 ** 31 - 2 ** 16 - 201;
	{
		using _ = beginStreamsAt(begin);
		await client.echo({});
	}
	for (let i = 0; i < 50; i++) {
		await Promise.all(Array.from({ length: 10 }, () => client.echo({})));
	}
	expect(server.accepted).toBe(2);
	await until(() => server.sessions.size === 1);
});

describe("more calls than a peer's MAX_CONCURRENT_STREAMS", () => {
	async function calling(
		calls: number,
		options: ClientOptions,
		then: (
			server: RunningServer,
			waiting: ServerHttp2Stream[],
		) => Promise<void>,
	) {
		const waiting: ServerHttp2Stream[] = [];
		await using server = await serveStreams((stream) => waiting.push(stream), {
			settings: { maxConcurrentStreams: 2 },
		});
		await using client = NewEchoServiceClient(server.address, {
			timeout: 0,
			...options,
		});
		const all = Array.from({ length: calls }, () => client.echo({}));
		await then(server, waiting);
		await Promise.all(all);
	}

	test("are all in flight at once, over further connections", async () => {
		await calling(7, {}, async (server, waiting) => {
			await until(() => waiting.length === 7);
			expect(server.accepted).toBe(4);
			for (const stream of waiting) answer(stream);
		});
	});

	test("wait for their turn at maxConnectionsPerEndpoint", async () => {
		const options = { maxConnectionsPerEndpoint: 2 };
		await calling(7, options, async (server, waiting) => {
			await until(() => waiting.length === 4);
			await new Promise((resolve) => setTimeout(resolve, 20));
			expect(waiting).toHaveLength(4);
			expect(server.accepted).toBe(2);
			for (let done = 0; done < 7; done++) {
				await until(() => waiting.length > done);
				answer(waiting[done] as ServerHttp2Stream);
			}
		});
	});
});

describe("calls that wait for room", () => {
	/** A server of two connections, with two streams each; calls of it, in flight or waiting. */
	async function full(options: ClientOptions = {}) {
		const stack = new AsyncDisposableStack();
		const streams: ServerHttp2Stream[] = [];
		/** Of each stream, which connection it came by. */
		const cameBy: unknown[] = [];
		const server = stack.use(
			await serveStreams(
				(stream) => {
					streams.push(stream);
					cameBy.push(stream.session);
				},
				{ settings: { maxConcurrentStreams: 2 } },
			),
		);
		const client = stack.use(
			NewEchoServiceClient(server.address, {
				timeout: 0,
				maxConnectionsPerEndpoint: 2,
				...options,
			}),
		);
		const calls = Array.from({ length: 4 }, () => client.echo({}));
		await until(() => streams.length === 4);
		return { stack, server, client, streams, cameBy, calls };
	}

	test("take the places of one connection, though the others stay full", async () => {
		const { stack, client, streams, cameBy, calls } = await full();
		await using _ = stack;
		const waiting = Array.from({ length: 6 }, () => client.echo({}));
		const ofOne = streams.filter((_, i) => cameBy[i] === cameBy[0]);
		expect(ofOne).toHaveLength(2);
		for (const stream of ofOne) answer(stream);
		// Those that come are all of the same connection.
		for (let served = 4; served < 10; served++) {
			await until(() => streams.length > served);
			expect(cameBy[served]).toBe(cameBy[0]);
			answer(streams[served] as ServerHttp2Stream);
		}
		await Promise.all(waiting);
		const others = streams.slice(0, 4).filter((one) => !ofOne.includes(one));
		for (const stream of others) answer(stream);
		await Promise.all(calls);
	});

	test("say so when their deadline passes, and have left nothing on the wire", async () => {
		const { stack, server, client, streams, calls } = await full();
		await using _ = stack;
		const error = await client
			.echo({}, { timeoutMs: 30 })
			.catch((error) => error);
		expect(error).toMatchObject({
			code: Code.DeadlineExceeded,
			rawMessage: `the deadline of 30 ms passed while waiting for a stream: ${server.address} has as many as it allows (MAX_CONCURRENT_STREAMS)`,
		});
		for (const stream of streams) answer(stream);
		await Promise.all(calls);
		expect(streams).toHaveLength(4);
	});

	test("go on over a new connection when theirs ends", async () => {
		const MAX_CONCURRENT_STREAMS = 0x3;
		const streams: RawStream[] = [];
		const server = await startRawServer({
			settings: [[MAX_CONCURRENT_STREAMS, 1]],
			onRequest: (stream) => streams.push(stream),
		});
		await using client = NewEchoServiceClient(server.address, {
			maxConnectionsPerEndpoint: 1,
		});
		const lost = client.echo({}).catch(({ code }) => code);
		await until(() => streams.length === 1);
		const waiting = [client.echo({}), client.echo({})];
		streams[0]?.connection.socket.destroy();
		expect(await lost).toBe(Code.Unavailable);
		await until(() => streams.length === 2);
		answerRaw(streams[1] as RawStream);
		await until(() => streams.length === 3);
		answerRaw(streams[2] as RawStream);
		await Promise.all(waiting);
		await server.stop();
	});

	test("are served in the order in which they came, thousands of them", async () => {
		const served: string[] = [];
		await using server = await serveStreams(
			(stream, headers) => {
				served.push(String(headers["x-number"]));
				answer(stream);
			},
			{ settings: { maxConcurrentStreams: 5 } },
		);
		await using client = NewEchoServiceClient(server.address, {
			maxConnectionsPerEndpoint: 1,
		});
		await client.echo({});
		served.length = 0;
		const numbers = Array.from({ length: 2000 }, (_, i) => String(i));
		await Promise.all(
			numbers.map((number) =>
				client.echo({}, { headers: { "x-number": number } }),
			),
		);
		expect(served).toEqual(numbers);
	});

	test("of a peer that allows no stream leave nothing behind once the client is closed", async () => {
		await using server = await serveStreams((stream) => answer(stream), {
			settings: { maxConcurrentStreams: 0 },
		});
		const client = NewEchoServiceClient(server.address);
		await channelOf(client)?.connect();
		const calls = Array.from({ length: 10 }, () =>
			client.echo({}, { timeoutMs: 100 }).catch((error) => error),
		);
		await until(() => server.accepted === 2);
		for (const error of await Promise.all(calls)) {
			expect(error.rawMessage).toContain("MAX_CONCURRENT_STREAMS");
		}
		expect(server.accepted).toBe(2);
		await client[Symbol.asyncDispose]();
		await until(() => server.sessions.size === 0);
	});
});

describe("a GOAWAY in two steps", () => {
	test("sends new calls to a new connection at once, those above the last stream id too, and lets the others finish", async () => {
		const requests: RawStream[] = [];
		const server = await startRawServer({
			onRequest: (stream) => requests.push(stream),
		});
		const port = Number(server.address.split(":")[1]);
		await using tap = await tapFrames(port);
		await using client = NewEchoServiceClient(tap.address);
		const calls = [client.echo({}), client.echo({})];
		await until(() => requests.length === 2);
		const [first, second] = requests as [RawStream, RawStream];
		first.connection.goAway(2 ** 31 - 1, errorCode.NO_ERROR);
		// A client that has answered the PING has heard the GOAWAY before it.
		first.connection.frame(frameType.ping, 0, 0, Buffer.alloc(8));
		await tap.until(({ type }) => type === "PING");
		calls.push(client.echo({}));
		await until(() => requests.length === 3);
		expect(requests[2]?.connection).not.toBe(first.connection);
		first.connection.goAway(first.id, errorCode.NO_ERROR);
		await until(() => requests.length === 4);
		expect(requests[3]?.connection).toBe(requests[2]?.connection);
		for (const stream of requests) if (stream !== second) answerRaw(stream);
		await Promise.all(calls);
		await server.stop();
	});
});

describe("connections that end as soon as they have served", () => {
	test.each<[string, (stream: RawStream) => void]>([
		[
			"by GOAWAY before the answer",
			(stream) => {
				stream.connection.goAway(stream.id, errorCode.NO_ERROR);
				answerRaw(stream);
				stream.connection.end();
			},
		],
		[
			"by GOAWAY behind the answer",
			(stream) => {
				answerRaw(stream);
				stream.connection.goAway(stream.id, errorCode.NO_ERROR);
				stream.connection.end();
			},
		],
		[
			"without a GOAWAY",
			(stream) => {
				answerRaw(stream);
				stream.connection.end();
			},
		],
	])(
		"%s cost no call, one after the other at any rate",
		async (_, onRequest) => {
			const server = await startRawServer({ onRequest });
			await using client = NewEchoServiceClient(server.address);
			let before = "idle";
			let ends = 0;
			channelOf(client)?.onStateChange((state) => {
				if (before === "ready") ends += 1;
				before = state;
			});
			for (let i = 1; i <= 30; i++) {
				await client.echo({});
				await until(() => ends === i);
			}
			expect(server.requests).toBe(30);
			await server.stop();
		},
	);

	test("cost no call among many at a time: those beyond the last go elsewhere", async () => {
		const PER_CONNECTION = 20;
		const taken = new Map<unknown, number>();
		const server = await startRawServer({
			onRequest: (stream) => {
				const { connection } = stream;
				const number = (taken.get(connection) ?? 0) + 1;
				taken.set(connection, number);
				if (number > PER_CONNECTION) return;
				if (number === PER_CONNECTION) {
					connection.goAway(stream.id, errorCode.NO_ERROR);
				}
				answerRaw(stream);
			},
		});
		await using client = NewEchoServiceClient(server.address);
		const caller = async (): Promise<void> => {
			for (let i = 0; i < 50; i++) await client.echo({});
		};
		await Promise.all(Array.from({ length: 10 }, caller));
		expect(taken.size).toBeGreaterThanOrEqual(500 / PER_CONNECTION);
		await server.stop();
	});

	test("by this side's will cost no call: short deadlines that pass, however many in a row", async () => {
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-slow"] === undefined) answer(stream);
		});
		await using client = NewEchoServiceClient(server.address);
		const codes = new Set<Code>();
		for (let i = 0; i < 40; i++) {
			await client
				.echo({}, { timeoutMs: 10, headers: { "x-slow": "1" } })
				.catch(({ code }) => codes.add(code));
		}
		expect([...codes]).toEqual([Code.DeadlineExceeded]);
		await client.echo({});
		// Each was asked three times, and then left.
		expect(server.accepted).toBeGreaterThan(3);
	});
});

describe("a peer that is cut off without a word", () => {
	test("costs the calls then in flight, and none that start after", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		await using tap = await tapFrames(server.port);
		await using inTime = clientInTime<EchoServiceClient>(
			EchoService,
			tap.address,
			{ timeout: "5s", retryPolicy: false },
		);
		const { client, clock } = inTime;
		await client.echo({});
		await clock.advance(60_000);
		tap.freeze();
		const lost = client.echo({}).catch((error) => error);
		await clock.advance(4999);
		const alsoLost = client.echo({}).catch((error) => error);
		await clock.advance(1);
		expect(await lost).toMatchObject({ code: Code.DeadlineExceeded });
		await clock.advance(1000);
		expect(await alsoLost).toMatchObject({
			code: Code.Unavailable,
			message: expect.stringContaining("no answer to a PING in 1 s"),
		});
		await client.echo({});
		expect(server.accepted).toBe(2);
	});

	test("is not taken for one that is slow: a PING that is answered costs nothing", async () => {
		const waiting: ServerHttp2Stream[] = [];
		await using server = await serveStreams((stream) => waiting.push(stream));
		await using tap = await tapFrames(server.port);
		await using inTime = clientInTime<EchoServiceClient>(
			EchoService,
			tap.address,
			{ timeout: 0 },
		);
		const { client, clock } = inTime;
		const slow = client.echo({});
		const late = client
			.echo({}, { timeoutMs: 1000 })
			.catch((error) => error.code);
		await until(() => waiting.length === 2);
		const timers = clock.pending;
		await clock.advance(1000);
		expect(await late).toBe(Code.DeadlineExceeded);
		await tap.until(({ type }) => type === "PING");
		// Neither the call's nor the PING's.
		await until(() => clock.pending === timers - 1);
		await clock.advance(60_000);
		answer(waiting[0] as ServerHttp2Stream);
		await slow;
		expect(server.accepted).toBe(1);
	});
});

describe("beside a connection that has fallen silent", () => {
	/** A call waits on a connection that a NAT has forgotten: new ones are made as before. Its only endpoint. */
	async function forgotten(options: ClientOptions) {
		const stack = new AsyncDisposableStack();
		const streams: ServerHttp2Stream[] = [];
		const server = stack.use(
			await serveStreams((stream) => streams.push(stream)),
		);
		const tap = stack.use(await tapFrames(server.port));
		const { client, core, clock } = stack.use(
			clientInTime<EchoServiceClient>(
				EchoService,
				tap.address,
				options,
				undefined,
				{ silenceMs: 1000 },
			),
		);
		const stuck = client.echo({}).catch((error) => error);
		await until(() => streams.length === 1);
		tap.freeze();
		await clock.advance(1000);
		await clock.advance(1000);
		return { stack, server, client, core, clock, streams, stuck };
	}

	test("another is dialed at once, and new calls go there; the first deadline ends it", async () => {
		const { stack, server, client, clock, streams, stuck } = await forgotten({
			timeout: "10s",
			retryPolicy: false,
		});
		await using _ = stack;
		await until(() => server.accepted === 2);
		const calls = [client.echo({}), client.echo({})];
		await until(() => streams.length === 3);
		for (const stream of streams.slice(1)) answer(stream);
		await Promise.all(calls);
		expect(server.sessions.size).toBe(2);
		await clock.advance(8000);
		expect(await stuck).toMatchObject({ code: Code.DeadlineExceeded });
		expect(server.accepted).toBe(2);
	});

	test("calls that may be sent twice go to the new one as soon as it stands", async () => {
		const { stack, core, clock, streams, stuck } = await forgotten({
			timeout: "10s",
			retryPolicy: {
				maxAttempts: 2,
				initialBackoff: "0.05s",
				maxBackoff: "1s",
				backoffMultiplier: 2,
				retryableStatusCodes: ["UNAVAILABLE"],
			},
		});
		await using _ = stack;
		await until(() => core.state === "ready");
		await clock.advance(100);
		await until(() => streams.length === 2);
		answer(streams[1] as ServerHttp2Stream);
		expect(await stuck).not.toBeInstanceOf(Error);
	});
});

test("keepalive ends a connection whose peer is cut off, with its calls", async () => {
	await using server = await serveStreams(() => {});
	await using tap = await tapFrames(server.port);
	await using inTime = clientInTime<EchoServiceClient>(
		EchoService,
		tap.address,
		{
			timeout: 0,
			retryPolicy: false,
			keepalive: { time: "30s", timeout: "10s" },
		},
	);
	const { client, clock } = inTime;
	const call = client.echo({}).catch((error) => error);
	await tap.until(({ type }) => type === "HEADERS");
	tap.freeze();
	await clock.advance(70_000);
	expect(await call).toMatchObject({
		code: Code.Unavailable,
		message: expect.stringContaining("no answer to a PING in 10 s"),
	});
});
