import type { ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { clientInTime } from "../../testdata/harness/client-in-time.ts";
import { tapFrames } from "../../testdata/harness/frame-tap.ts";
import {
	answer,
	type RunningServer,
	serveStreams,
} from "../../testdata/harness/http2-server.ts";
import {
	errorCode,
	frameType,
	type RawStream,
	startRawServer,
} from "../../testdata/peers/node/misbehaving/raw-http2.ts";
import { EchoService } from "../../testdata/services/gen/echo/echo_pb.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../testdata/services/gen/echo/echo_rpc.ts";
import { channelOf } from "./client-object.ts";
import type { ClientOptions } from "./client-options.ts";

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
