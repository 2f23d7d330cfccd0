import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { afterEach, describe, expect, test } from "vitest";
import {
	call,
	exchange,
	type Opened,
	openConnection,
} from "../../../testdata/harness/client-exchange.ts";
import { tapFrames } from "../../../testdata/harness/frame-tap.ts";
import {
	answer,
	frame,
	respond,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { beginStreamsAt } from "../../../testdata/harness/stream-ids.ts";
import {
	errorCode,
	frameType,
	type RawConnection,
	type RawStream,
	startRawServer,
	uint32,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

async function open(address: string): Promise<Opened> {
	const one = await openConnection(address);
	after.push(() => one[Symbol.dispose]());
	return one;
}

/** Looks again until it holds. */
async function until(holds: () => boolean): Promise<void> {
	while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const MAX_CONCURRENT_STREAMS = 3;

function maxStreams(count: number): Buffer {
	return Buffer.concat([Buffer.of(0, MAX_CONCURRENT_STREAMS), uint32(count)]);
}

const OK = [
	[":status", "200"],
	["content-type", "application/grpc"],
	["grpc-status", "0"],
] as const;

describe("room", () => {
	test("is unlimited if the peer sets no limit", async () => {
		await using server = await serveStreams(() => {});
		const { connection } = await open(server.address);
		for (let i = 0; i < 300; i++) void call(connection);
		expect(connection.openCalls).toBe(300);
		expect(connection.hasRoom).toBe(true);
	});

	test("ends at the peer's MAX_CONCURRENT_STREAMS, and is told when a stream has ended", async () => {
		const requests: RawStream[] = [];
		const server = await startRawServer({
			settings: [[MAX_CONCURRENT_STREAMS, 2]],
			onRequest: (stream) => requests.push(stream),
		});
		after.push(() => server.stop());
		const { connection, rooms } = await open(server.address);
		expect(connection.hasRoom).toBe(true);
		const first = call(connection);
		expect(connection.hasRoom).toBe(true);
		const second = exchange(connection);
		expect(connection.openCalls).toBe(2);
		expect(connection.hasRoom).toBe(false);
		await until(() => requests.length > 0);
		requests[0]?.headers(OK, true);
		await first;
		await until(() => connection.hasRoom);
		expect(connection.openCalls).toBe(1);
		expect(rooms()).toBe(1);
		second.call.cancel();
		await until(() => connection.openCalls === 0);
		expect(rooms()).toBe(1);
	});

	test("changes with new SETTINGS", async () => {
		let raw: RawConnection | undefined;
		const server = await startRawServer({
			settings: [[MAX_CONCURRENT_STREAMS, 1]],
			onConnection: (connection) => {
				raw = connection;
			},
		});
		after.push(() => server.stop());
		const { connection, rooms } = await open(server.address);
		void call(connection);
		expect(connection.hasRoom).toBe(false);
		raw?.frame(frameType.settings, 0, 0, maxStreams(2));
		await until(() => connection.hasRoom);
		expect(rooms()).toBe(1);
		raw?.frame(frameType.settings, 0, 0, maxStreams(0));
		await until(() => !connection.hasRoom);
		expect(rooms()).toBe(1);
	});

	test("is also taken by watches", async () => {
		const server = await startRawServer({
			settings: [[MAX_CONCURRENT_STREAMS, 1]],
		});
		after.push(() => server.stop());
		const { connection, rooms } = await open(server.address);
		const watch = exchange(connection, { purpose: "watch" });
		expect(connection.openCalls).toBe(0);
		expect(connection.hasRoom).toBe(false);
		watch.call.cancel();
		await until(() => connection.hasRoom);
		expect(rooms()).toBe(1);
	});
});

describe("heard", () => {
	test.each<[string, (stream: RawStream) => void]>([
		["headers", (stream) => stream.headers(OK.slice(0, 2))],
		["data", (stream) => stream.data(frame())],
		["a reset", (stream) => stream.reset(errorCode.CANCEL)],
		[
			"SETTINGS",
			({ connection }) => connection.frame(frameType.settings, 0, 0),
		],
		[
			"a PING of the peer's",
			({ connection }) =>
				connection.frame(frameType.ping, 0, 0, Buffer.alloc(8)),
		],
	])("grows with %s", async (_, say) => {
		const arrived = Promise.withResolvers<RawStream>();
		const server = await startRawServer({ onRequest: arrived.resolve });
		after.push(() => server.stop());
		const { connection } = await open(server.address);
		void call(connection);
		const stream = await arrived.promise;
		stream.headers(OK.slice(0, 2));
		await new Promise<void>((resolve) => connection.ping(resolve));
		const before = connection.heard;
		say(stream);
		await until(() => connection.heard > before);
	});

	test("stays the same while nothing arrives, whatever is sent", async () => {
		await using server = await serveStreams((stream) => respond(stream));
		await using tap = await tapFrames(server.port);
		const { connection } = await open(tap.address);
		await new Promise<void>((resolve) => connection.ping(resolve));
		tap.freeze();
		const before = connection.heard;
		void call(connection);
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(connection.heard).toBe(before);
		expect(before).toBeGreaterThan(0);
	});
});

describe("a response that is waited for", () => {
	test("is its headers or more of its data, once, and not SETTINGS or the answer to a PING", async () => {
		const arrived = Promise.withResolvers<RawStream>();
		const server = await startRawServer({ onRequest: arrived.resolve });
		after.push(() => server.stop());
		const { connection } = await open(server.address);
		let heard = 0;
		const wait = (): void =>
			connection.awaitResponse(() => {
				heard += 1;
			});
		wait();
		void call(connection);
		const stream = await arrived.promise;
		stream.connection.frame(frameType.settings, 0, 0);
		await new Promise<void>((resolve) => connection.ping(resolve));
		expect([heard, connection.responses]).toEqual([0, 0]);
		stream.headers(OK.slice(0, 2));
		await until(() => heard > 0);
		stream.data(frame());
		await until(() => connection.responses === 2);
		expect(heard).toBe(1);
		wait();
		stream.data(frame());
		await until(() => connection.responses === 3);
		expect(heard).toBe(2);
	});
});

describe("a PING", () => {
	test("is answered by a live peer", async () => {
		await using server = await serveStreams(() => {});
		await using tap = await tapFrames(server.port);
		const { connection } = await open(tap.address);
		await new Promise<void>((resolve) => connection.ping(resolve));
		const pings = tap.frames.filter(({ type }) => type === "PING");
		expect(pings.map(({ flags }) => flags)).toEqual([0]);
	});

	test("to a peer that is gone is never answered, and throws nothing", async () => {
		await using server = await serveStreams(() => {});
		await using tap = await tapFrames(server.port);
		const { connection, closed } = await open(tap.address);
		tap.freeze();
		let answers = 0;
		const count = (): void => {
			answers += 1;
		};
		// More than Node lets be under way.
		for (let i = 0; i < 20; i++) connection.ping(count);
		connection.destroy();
		await closed;
		connection.ping(count);
		await new Promise(setImmediate);
		expect(answers).toBe(0);
	});
});

describe("a watch", () => {
	test("does not keep a connection open, as a call does", async () => {
		let answerCall = (): void => {};
		let arrived = 0;
		await using server = await serveStreams((stream) => {
			if (++arrived === 1) respond(stream);
			else answerCall = () => answer(stream);
		});
		const { connection, closed } = await open(server.address);
		const watch = exchange(connection, { purpose: "watch" });
		const inFlight = call(connection);
		await until(() => arrived === 2);
		const [session] = server.sessions;
		connection.close();
		answerCall();
		expect((await inFlight).trailers).toEqual(["grpc-status", "0"]);
		expect(await closed).toBeUndefined();
		expect(watch.sofar.end).toBeUndefined();
		if (session?.destroyed === false) await once(session, "close");
	});

	test("alone does not keep a closing connection open", async () => {
		await using server = await serveStreams((stream) => respond(stream));
		const { connection, closed } = await open(server.address);
		exchange(connection, { purpose: "watch" });
		connection.close();
		expect(await closed).toBeUndefined();
	});
});

describe("a connection whose stream ids are nearly used up", () => {
	test("takes no new calls, which it tells like a GOAWAY, lets open calls finish, and closes", async () => {
		using _ = beginStreamsAt(2 ** 31 - 2 ** 16 - 1);
		const requests: ServerHttp2Stream[] = [];
		await using server = await serveStreams((stream) => {
			requests.push(stream);
		});
		const { connection, goaways, closed } = await open(server.address);
		const first = call(connection);
		await until(() => requests.length === 1);
		expect(goaways).toEqual([]);
		// Between the news and what its owner makes of them.
		const others = [call(connection), call(connection)];
		await until(() => requests.length === 3);
		expect(requests.map(({ id }) => id)).toEqual([
			2 ** 31 - 2 ** 16 - 1,
			2 ** 31 - 2 ** 16 + 1,
			2 ** 31 - 2 ** 16 + 3,
		]);
		expect(goaways).toEqual([{ code: 0, debugData: "" }]);
		for (const request of requests) answer(request);
		for (const outcome of await Promise.all([first, ...others])) {
			expect(outcome.trailers).toEqual(["grpc-status", "0"]);
		}
		expect(await closed).toBeUndefined();
	});
});

describe("a GOAWAY in two steps", () => {
	test("lets the streams up to the last of the second one finish, and those above end as miscarried", async () => {
		const requests: RawStream[] = [];
		const server = await startRawServer({
			onRequest: (stream) => requests.push(stream),
		});
		after.push(() => server.stop());
		const { connection, goaways, wentAway } = await open(server.address);
		const calls = [call(connection), call(connection)];
		await until(() => requests.length === 2);
		const [first, second] = requests as [RawStream, RawStream];
		first.connection.goAway(2 ** 31 - 1, errorCode.NO_ERROR);
		await wentAway;
		expect((await call(connection)).end?.progress).toBe("miscarried");
		first.connection.goAway(first.id, errorCode.NO_ERROR);
		expect((await calls[1])?.end?.progress).toBe("miscarried");
		first.headers(OK, true);
		expect((await calls[0])?.end?.local).toBe(false);
		expect(goaways).toHaveLength(2);
		expect(second.id).toBeGreaterThan(first.id);
	});

	test("of Node's own server works as well", async () => {
		let answerCall = (): void => {};
		const arrived = Promise.withResolvers<void>();
		await using server = await serveStreams((stream) => {
			answerCall = () => answer(stream);
			arrived.resolve();
		});
		const connecting = server.connection();
		const { connection, wentAway } = await open(server.address);
		const session = await connecting;
		const inFlight = call(connection);
		await arrived.promise;
		session.goaway(errorCode.NO_ERROR, 2 ** 31 - 1);
		await wentAway;
		session.goaway(errorCode.NO_ERROR);
		answerCall();
		expect((await inFlight).trailers).toEqual(["grpc-status", "0"]);
	});
});
