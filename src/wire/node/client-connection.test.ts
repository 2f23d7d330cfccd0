import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import { startOf } from "../../../testdata/harness/call-start.ts";
import {
	call,
	exchange,
	type Opened,
	openConnection,
} from "../../../testdata/harness/client-exchange.ts";
import { tapFrames } from "../../../testdata/harness/frame-tap.ts";
import {
	answer,
	finish,
	frame,
	type RunningServer,
	refuse,
	respond,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import {
	errorCode,
	headerBlock,
	type RawStream,
	startRawServer,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";
import { Http2Code } from "../http2-code.ts";
import { codeOfReset } from "../status.ts";
import { clientConnection } from "./client-connection.ts";
import { STREAM_WINDOW_BYTES } from "./windows.ts";

/** As TLS within a proxy's TLS has it. */
function duplexOver(socket: Socket): Duplex {
	const duplex = new Duplex({
		read: () => {},
		write: (chunk, _, done) => socket.write(chunk, done),
		final: (done) => socket.end(done),
		destroy: (error, done) => {
			socket.destroy();
			done(error);
		},
	});
	socket.on("data", (chunk) => duplex.push(chunk));
	socket.on("error", () => {});
	socket.on("close", () => duplex.push(null));
	return duplex;
}

const opened: Opened[] = [];
afterEach(() => {
	for (const one of opened.splice(0)) one[Symbol.dispose]();
});

async function open(address: string): Promise<Opened> {
	const one = await openConnection(address);
	opened.push(one);
	return one;
}

describe("a request", () => {
	test("arrives with its headers in order, its messages and its end", async () => {
		const seen = Promise.withResolvers<readonly string[]>();
		const body: Uint8Array[] = [];
		await using server = await serveStreams((stream, _headers, raw) => {
			seen.resolve(raw);
			stream.on("data", (chunk: Buffer) => body.push(chunk));
			stream.on("end", () => answer(stream));
		});
		const { connection } = await open(server.address);
		const metadata = ["x-a", "1", "x-b-bin", "YQ", "x-b-bin", "Yg"];
		const { call, outcome } = exchange(connection, { timeout: "1S", metadata });
		call.send(Buffer.from("one"), false);
		call.send(Buffer.from("two"), true);
		call.send(Buffer.from("three"), false);
		call.end();
		expect((await outcome).trailers).toEqual(["grpc-status", "0"]);
		expect(await seen.promise).toEqual([
			...startOf().head.headers,
			...["grpc-timeout", "1S"],
			...metadata,
		]);
		expect(Buffer.concat(body)).toEqual(
			Buffer.concat([frame("one"), frame("two", 1), frame("three")]),
		);
	});

	test("sends the messages of one tick in one DATA frame", async () => {
		await using server = await serveStreams((stream) => {
			stream.resume().on("end", () => answer(stream));
		});
		await using tap = await tapFrames(server.port);
		const { connection } = await open(tap.address);
		const { call, outcome } = exchange(connection);
		for (let i = 0; i < 10; i++) call.send(Buffer.from("12"), false);
		await tap.until((frame) => frame.type === "DATA");
		call.end();
		await outcome;
		const data = tap.frames.filter(({ type }) => type === "DATA");
		expect(data.map(({ payload }) => payload.length)).toEqual([70, 0]);
		expect(data.map(({ endStream }) => endStream)).toEqual([false, true]);
	});

	test("tells when its buffer is full, and when there is room again", async () => {
		let read = (): void => {};
		await using server = await serveStreams((stream) => {
			read = () => stream.resume();
			stream.on("end", () => answer(stream));
		});
		const { connection } = await open(server.address);
		const { call, writable, outcome } = exchange(connection);
		let written = 0;
		// The window of a Node server is 64 KiB.
		while (written < 100 * 64 * 1024) {
			const room = call.send(Buffer.alloc(16 * 1024), false);
			written += 16 * 1024;
			if (!room && (await isBlocked(writable()))) break;
		}
		expect(written).toBeGreaterThanOrEqual(64 * 1024);
		expect(written).toBeLessThan(256 * 1024);
		const room = writable();
		read();
		await room;
		call.end();
		await outcome;
	});

	test("that is cancelled is reset without an END_STREAM before, which would complete an upload", async () => {
		const aborted = Promise.withResolvers<{ code: number; ended: boolean }>();
		await using server = await serveStreams((stream) => {
			let ended = false;
			stream.on("end", () => {
				ended = true;
			});
			stream.resume();
			respond(stream);
			stream.on("close", () => {
				aborted.resolve({
					code: stream.rstCode,
					ended: ended && !stream.aborted,
				});
			});
		});
		await using tap = await tapFrames(server.port);
		const { connection } = await open(tap.address);
		const { call } = exchange(connection);
		call.send(Buffer.from("a part"), false);
		await tap.until(({ type }) => type === "DATA");
		call.cancel();
		await tap.until(({ type }) => type === "RST_STREAM");
		expect(await aborted.promise).toEqual({
			code: Http2Code.CANCEL,
			ended: false,
		});
		const ofStream = tap.frames.filter(({ streamId }) => streamId === 1);
		expect(ofStream.map(({ type }) => type)).toEqual([
			"HEADERS",
			"DATA",
			"RST_STREAM",
		]);
		expect(ofStream.some(({ endStream }) => endStream)).toBe(false);
		expect(ofStream.at(-1)?.payload.readUInt32BE()).toBe(Http2Code.CANCEL);
	});

	test("that is cancelled at once sends at most its headers", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		await using tap = await tapFrames(server.port);
		const { connection } = await open(tap.address);
		const never = exchange(connection);
		never.call.send(Buffer.from("never sent"), false);
		never.call.cancel();
		await call(connection);
		const ofFirst = tap.frames.filter(({ streamId }) => streamId === 1);
		for (const { type, endStream } of ofFirst) {
			expect(["HEADERS", "RST_STREAM"]).toContain(type);
			expect(endStream).toBe(false);
		}
	});

	test("that is cancelled while flow control blocks it leaves no bytes behind in the session", async () => {
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-stuck"] === undefined) answer(stream);
		});
		const { connection } = await open(server.address);
		const upload = Buffer.alloc(4 << 20);
		const metadata = ["x-stuck", "1"];
		for (let i = 0; i < 300; i++) {
			const stuck = exchange(connection, { metadata, request: upload });
			await call(connection);
			stuck.call.cancel();
		}
		expect((await call(connection)).trailers).toEqual(["grpc-status", "0"]);
	});

	test("is sent beside any number of large ones that flow control blocks", async () => {
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-stuck"] === undefined) answer(stream);
		});
		const { connection } = await open(server.address);
		for (let i = 0; i < 10; i++) {
			exchange(connection, {
				metadata: ["x-stuck", "1"],
				request: Buffer.alloc(4 << 20),
			});
		}
		const { trailers, end } = await call(connection);
		expect(end?.local).toBe(false);
		expect(trailers).toEqual(["grpc-status", "0"]);
	});

	test("that HTTP/2 does not allow fails alone, and not as miscarried: it would be sent again for ever", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		const { connection } = await open(server.address);
		const metadata = ["authorization", "a", "authorization", "b"];
		const { end } = await exchange(connection, { metadata }).outcome;
		expect(end?.progress).toBe("processed");
		expect(end?.cause?.message).toContain("authorization");
		expect((await call(connection)).trailers).toEqual(["grpc-status", "0"]);
	});

	test("with more headers than the peer accepts fails alone, and as refused: it would fail again", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		const { connection } = await open(server.address);
		const { end } = await exchange(connection, {
			metadata: ["x-large", "x".repeat(200_000)],
		}).outcome;
		expect(end).toMatchObject({ progress: "refused", cause: undefined });
		expect((await call(connection)).trailers).toEqual(["grpc-status", "0"]);
	});
});

/** Whether nothing happens for a while, while the event loop turns. */
async function isBlocked(event: Promise<void>): Promise<boolean> {
	let happened = false;
	void event.then(() => {
		happened = true;
	});
	for (let i = 0; i < 20 && !happened; i++) {
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
	return !happened;
}

describe("a response", () => {
	test("is headers, messages and trailers, in order and as they were sent", async () => {
		await using server = await serveStreams((stream) => {
			respond(stream, { "x-a": ["1", "2"] });
			stream.write(frame("some"));
			stream.write(frame(" bytes"));
			finish(stream, { "grpc-status": 5, "x-b": ["3", "4"] });
		});
		const { connection } = await open(server.address);
		const { headers, body, trailers, end } = await call(connection);
		expect(headers?.slice(0, 4)).toEqual([
			":status",
			"200",
			"content-type",
			"application/grpc",
		]);
		expect(headers?.join(" ")).toContain("x-a 1 x-a 2");
		expect(String(body)).toBe("some bytes");
		expect(trailers).toEqual(["grpc-status", "5", "x-b", "3", "x-b", "4"]);
		expect(end).toMatchObject({ code: 5, local: false, headers });
	});

	test("that is Trailers-Only is an end with trailers, without headers", async () => {
		await using server = await serveStreams((stream) => refuse(stream, 5));
		const { connection } = await open(server.address);
		const { headers, trailers } = await call(connection);
		expect(headers).toBeUndefined();
		expect(trailers).toContain("grpc-status");
	});

	test("may have informational headers before its own (HTTP 103)", async () => {
		await using server = await serveStreams((stream) => {
			stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
			answer(stream);
		});
		const { connection } = await open(server.address);
		const { headers } = await call(connection);
		expect(headers?.[1]).toBe("200");
	});

	test("on a socket that is a JavaScript stream, where Node tells data first, has its headers first", async () => {
		const server = await startRawServer({
			onRequest: (stream) => {
				stream.connection.socket.cork();
				stream.headers([
					[":status", "200"],
					["content-type", "application/grpc"],
				]);
				for (const part of ["a", "b"]) stream.data(frame(part));
				stream.headers([["grpc-status", "5"]], true);
				stream.connection.socket.uncork();
			},
		});
		const socket = connect(Number(server.address.split(":")[1]), "127.0.0.1");
		const opened = Promise.withResolvers<void>();
		const connection = clientConnection(duplexOver(socket) as Socket, {
			ready: opened.resolve,
			room: () => {},
			goaway: () => {},
			closed: () => {},
		});
		await opened.promise;
		const told: string[] = [];
		const ended = Promise.withResolvers<void>();
		connection.start(startOf({ request: new Uint8Array() }), {
			headers: () => told.push("headers"),
			message: (message) => told.push(`message ${Buffer.from(message)}`),
			end: ({ trailers }) => {
				told.push(`end ${trailers}`);
				ended.resolve();
			},
			writable: () => {},
		});
		await ended.promise;
		expect(told).toEqual([
			"headers",
			"message a",
			"message b",
			"end grpc-status,5",
		]);
		connection.destroy();
		await server.stop();
	});

	test("that ends with data ends without trailers", async () => {
		await using server = await serveStreams((stream) => {
			stream.respond({ ":status": 200, "content-type": "application/grpc" });
			stream.end(frame("bytes"));
		});
		const { connection } = await open(server.address);
		const { body, trailers } = await call(connection);
		expect(String(body)).toBe("bytes");
		expect(trailers).toEqual([]);
	});

	test("that is complete before the request is counts as complete", async () => {
		await using server = await serveStreams((stream) => {
			answer(stream, "early");
		});
		const { connection } = await open(server.address);
		const { call, outcome } = exchange(connection);
		call.send(Buffer.from("a part"), false);
		expect((await outcome).trailers).toEqual(["grpc-status", "0"]);
		call.cancel();
	});

	test("that is complete before a large request drops what was not sent yet", async () => {
		const server = await startRawServer({
			onHeaders: (stream) => {
				stream.headers([
					[":status", "200"],
					["content-type", "application/grpc"],
				]);
				stream.headers([["grpc-status", "0"]], true);
			},
		});
		await using tap = await tapFrames(Number(server.address.split(":")[1]));
		const { connection } = await open(tap.address);
		const { trailers } = await call(connection, Buffer.alloc(1 << 20));
		expect(trailers).toEqual(["grpc-status", "0"]);
		const reset = await tap.until(({ type }) => type === "RST_STREAM");
		expect(reset.payload.readUInt32BE()).toBe(Http2Code.CANCEL);
		await server.stop();
	});

	test("to a complete request resets nothing", async () => {
		await using server = await serveStreams((stream) => {
			stream.resume().on("end", () => answer(stream));
		});
		await using tap = await tapFrames(server.port);
		const { connection } = await open(tap.address);
		for (const bytes of [0, 100, 50_000, 1 << 20]) {
			await call(connection, Buffer.alloc(bytes));
		}
		expect(tap.frames.some(({ type }) => type === "RST_STREAM")).toBe(false);
	});

	test.each(["NO_ERROR", "CANCEL"] as const)(
		"that is complete counts, although a reset with %s follows at once",
		async (name) => {
			const server = await startRawServer({
				onRequest: (stream) => {
					// In one segment, so that all of it is there at once.
					const { socket } = stream.connection;
					socket.cork();
					stream.headers([
						[":status", "200"],
						["content-type", "application/grpc"],
					]);
					stream.data(frame("x".repeat(10_000)));
					stream.headers([["grpc-status", "0"]], true);
					stream.reset(errorCode[name]);
					socket.uncork();
				},
			});
			const { connection } = await open(server.address);
			const { trailers, body } = await call(connection);
			expect(body).toHaveLength(10_000);
			expect(trailers).toEqual(["grpc-status", "0"]);
			await server.stop();
		},
	);

	test("that is complete counts, although the connection ends at once", async () => {
		const server = await startRawServer({
			onRequest: (stream) => {
				const { socket } = stream.connection;
				socket.cork();
				stream.headers([
					[":status", "200"],
					["content-type", "application/grpc"],
				]);
				stream.data(frame("x".repeat(10_000)));
				stream.headers([["grpc-status", "0"]], true);
				socket.uncork();
				stream.connection.end();
			},
		});
		const { connection } = await open(server.address);
		const { trailers, body } = await call(connection);
		expect(body).toHaveLength(10_000);
		expect(trailers).toEqual(["grpc-status", "0"]);
		await server.stop();
	});

	test("is not heard after the stream was reset", async () => {
		const responded = Promise.withResolvers<void>();
		await using server = await serveStreams((stream) => {
			stream.on("close", () => responded.resolve());
			answer(stream, "too late");
		});
		const { connection } = await open(server.address);
		const { call: cancelled, sofar } = exchange(connection, {
			request: new Uint8Array(),
		});
		cancelled.cancel();
		await responded.promise;
		await call(connection);
		expect(sofar).toMatchObject({ headers: undefined, trailers: undefined });
		expect(sofar.end).toBeUndefined();
	});
});

describe("flow control", () => {
	test("a call that is held stops its server once its window is full, and stops no other call", async () => {
		let written = 0;
		const block = frame(Buffer.alloc(16 * 1024 - 5));
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-fast"] === undefined) {
				answer(stream, "quick");
				return;
			}
			respond(stream);
			const write = (): void => {
				while (written < 64 << 20) {
					written += 16 * 1024;
					if (!stream.write(block)) {
						stream.once("drain", write);
						return;
					}
				}
				finish(stream);
			};
			write();
		});
		const { connection } = await open(server.address);
		const held = exchange(connection, { metadata: ["x-fast", "1"] });
		held.call.end();
		await held.message();
		held.call.hold();
		let before = -1;
		while (before !== written) {
			before = written;
			for (let i = 0; i < 5; i++) {
				expect((await call(connection)).trailers).toEqual(["grpc-status", "0"]);
			}
		}
		expect(written).toBeGreaterThan(STREAM_WINDOW_BYTES / 2);
		expect(written).toBeLessThan(STREAM_WINDOW_BYTES + (512 << 10));
		held.call.release();
		await held.outcome;
		expect(held.sofar.bodyBytes).toBe(4096 * (16 * 1024 - 5));
	});
});

describe("a reset by the server", () => {
	test.each([
		["REFUSED_STREAM", "refused"],
		["CANCEL", "processed"],
		["INTERNAL_ERROR", "processed"],
		["ENHANCE_YOUR_CALM", "processed"],
	] as const)(
		"with %s tells its code, and that the request was %s",
		async (name, progress) => {
			await using server = await serveStreams((stream) =>
				stream.close(Http2Code[name]),
			);
			const { connection } = await open(server.address);
			const { call, outcome } = exchange(connection);
			call.send(new Uint8Array(), false);
			expect((await outcome).end).toMatchObject({
				code: codeOfReset(Http2Code[name]),
				message: `the server reset the stream (${name})`,
				local: true,
				progress,
				cause: undefined,
			});
		},
	);

	test("in the middle of a response is told after what was sent", async () => {
		await using server = await serveStreams((stream) => {
			respond(stream);
			stream.write(frame("first"), () =>
				stream.close(Http2Code.INTERNAL_ERROR),
			);
		});
		const { connection } = await open(server.address);
		const { headers, body, end } = await call(connection);
		expect(headers).toBeDefined();
		expect(String(body)).toBe("first");
		expect(end?.message).toContain("INTERNAL_ERROR");
	});

	test("leaves the other streams alone", async () => {
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-bad"] !== undefined) stream.close(Http2Code.CANCEL);
			else setTimeout(() => answer(stream), 20);
		});
		const { connection } = await open(server.address);
		const good = call(connection);
		const bad = exchange(connection, { metadata: ["x-bad", "1"] });
		bad.call.end();
		expect((await bad.outcome).end?.code).toBe(Code.Canceled);
		expect((await good).trailers).toEqual(["grpc-status", "0"]);
	});
});

describe("a lost connection", () => {
	test("ends every call, with its cause, and is told after them", async () => {
		const both = Promise.withResolvers<void>();
		let streams = 0;
		await using server = await serveStreams(() => {
			if (++streams === 2) both.resolve();
		});
		const { connection, closed } = await open(server.address);
		const calls = [call(connection), call(connection)];
		await both.promise;
		const order: string[] = [];
		for (const one of calls) void one.then(() => order.push("reset"));
		void closed.then(() => order.push("closed"));
		server.cut();
		for (const { end } of await Promise.all(calls)) {
			expect(end?.progress).toBe("processed");
			expect(end?.cause).toBeInstanceOf(Error);
			expect(end?.cause?.message).not.toBe("");
		}
		await closed;
		await Promise.resolve();
		expect(order).toEqual(["reset", "reset", "closed"]);
	});

	test("by a TCP reset says so", async () => {
		const server = await startRawServer({
			onRequest: (stream) => stream.connection.socket.resetAndDestroy(),
		});
		const { connection, closed } = await open(server.address);
		const { end } = await call(connection);
		expect(end?.cause?.message).toContain("ECONNRESET");
		expect((await closed)?.message).toContain("ECONNRESET");
		await server.stop();
	});

	test("takes no new calls: they end later, as miscarried, with the cause", async () => {
		await using server = await serveStreams(() => {});
		const { connection, closed } = await open(server.address);
		server.cut();
		await closed;
		const { outcome, sofar, call } = exchange(connection);
		expect(sofar.end).toBeUndefined();
		call.send(new Uint8Array(), false);
		call.end();
		call.hold();
		call.release();
		const { end } = await outcome;
		expect(end?.progress).toBe("miscarried");
		expect(end?.cause).toBeInstanceOf(Error);
	});
});

describe("GOAWAY", () => {
	test("is told, with its code and debug data", async () => {
		await using server = await serveStreams(() => {});
		const connecting = server.connection();
		const { goaways, wentAway } = await open(server.address);
		(await connecting).goaway(Http2Code.NO_ERROR, 0, Buffer.from("max_age"));
		await wentAway;
		expect(goaways).toEqual([{ code: 0, debugData: "max_age" }]);
	});

	test("lets the streams up to its last one finish, and those above end as miscarried", async () => {
		const requests: RawStream[] = [];
		const three = Promise.withResolvers<void>();
		const server = await startRawServer({
			onRequest: (stream) => {
				requests.push(stream);
				if (requests.length === 3) three.resolve();
			},
		});
		const { connection } = await open(server.address);
		const calls = [call(connection), call(connection), call(connection)];
		await three.promise;
		const [first, second] = requests as [RawStream, RawStream];
		first.connection.goAway(second.id, errorCode.NO_ERROR);
		expect((await calls[2])?.end).toMatchObject({ progress: "miscarried" });
		for (const stream of [first, second]) {
			stream.headers([
				[":status", "200"],
				["content-type", "application/grpc"],
			]);
			stream.headers([["grpc-status", "0"]], true);
		}
		for (const done of calls.slice(0, 2)) {
			expect((await done).trailers).toEqual(["grpc-status", "0"]);
		}
		await server.stop();
	});

	test("with an error ends the streams with that error", async () => {
		const server = await startRawServer({
			onRequest: ({ connection, id }) =>
				connection.goAway(id, errorCode.ENHANCE_YOUR_CALM, "too_many_pings"),
		});
		const { connection, closed } = await open(server.address);
		const { end } = await call(connection);
		expect(end?.cause?.message).toBe(
			"the peer closed the connection: GOAWAY with error code 11 too_many_pings",
		);
		expect(await closed).toBe(end?.cause);
		await server.stop();
	});

	test.each([0, 1])(
		"is followed by no stream on this connection, with %d in flight",
		async (inFlight) => {
			const arrived = Promise.withResolvers<void>();
			await using server = await serveStreams(() => arrived.resolve());
			const connecting = server.connection();
			const { connection, wentAway } = await open(server.address);
			if (inFlight === 1) {
				void call(connection);
				await arrived.promise;
			}
			(await connecting).goaway(Http2Code.NO_ERROR);
			await wentAway;
			const { outcome, sofar, call: missed } = exchange(connection);
			missed.send(new Uint8Array(), false);
			missed.end();
			missed.hold();
			missed.release();
			expect(sofar.end).toBeUndefined();
			expect((await outcome).end).toMatchObject({ progress: "miscarried" });
			missed.cancel();
		},
	);
});

describe("close", () => {
	test("lets open streams finish, then ends the connection", async () => {
		let release = (): void => {};
		const arrived = Promise.withResolvers<void>();
		await using server = await serveStreams((stream) => {
			release = () => answer(stream);
			arrived.resolve();
		});
		const { connection, closed } = await open(server.address);
		const inFlight = call(connection);
		await arrived.promise;
		connection.close();
		release();
		expect((await inFlight).trailers).toEqual(["grpc-status", "0"]);
		expect(await closed).toBeUndefined();
	});

	test("ends a connection without streams at once", async () => {
		await using server = await serveStreams(() => {});
		const { connection, closed } = await open(server.address);
		connection.close();
		expect(await closed).toBeUndefined();
	});
});

test("destroy ends the streams with the error that it was given", async () => {
	const arrived = Promise.withResolvers<void>();
	await using server = await serveStreams(() => arrived.resolve());
	const { connection, closed } = await open(server.address);
	const inFlight = call(connection);
	await arrived.promise;
	const error = new Error("enough");
	connection.destroy(error);
	expect((await inFlight).end?.cause).toBe(error);
	expect(await closed).toBe(error);
});

describe("a peer that allows few streams", () => {
	async function allowing(maxConcurrentStreams: number): Promise<{
		server: RunningServer;
		most: () => number;
		seen: () => number;
	}> {
		let current = 0;
		let most = 0;
		let seen = 0;
		const server = await serveStreams(
			(stream) => {
				seen += 1;
				most = Math.max(most, ++current);
				stream.on("close", () => {
					current -= 1;
				});
				setTimeout(() => answer(stream), 1);
			},
			{ settings: { maxConcurrentStreams } },
		);
		return { server, most: () => most, seen: () => seen };
	}

	test("gets its calls one after the other, and all in the end", async () => {
		const { server, most } = await allowing(10);
		await using _ = server;
		const { connection } = await open(server.address);
		const all = await Promise.all(
			Array.from({ length: 300 }, () => call(connection)),
		);
		for (const { trailers } of all) {
			expect(trailers).toEqual(["grpc-status", "0"]);
		}
		expect(most()).toBe(10);
	});

	test("never sees a call that was cancelled while it waited for its turn", async () => {
		const { server, seen } = await allowing(1);
		await using _ = server;
		const { connection } = await open(server.address);
		const first = call(connection);
		const waiting = exchange(connection, { request: new Uint8Array() });
		waiting.call.cancel();
		const last = call(connection);
		await Promise.all([first, last]);
		expect(seen()).toBe(2);
	});
});

test("the raw server writes a header block as Node reads it", () => {
	// Guards the raw server that these tests stand on.
	expect(headerBlock([["a", "b"]])).toEqual(Buffer.from([0, 1, 0x61, 1, 0x62]));
});
