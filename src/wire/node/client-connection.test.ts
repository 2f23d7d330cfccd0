import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import {
	call,
	exchange,
	type Opened,
	openConnection,
	POST,
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
import { Http2Code } from "../connection.ts";
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
	test("arrives with its headers in order and its bytes, and ends", async () => {
		const seen = Promise.withResolvers<readonly string[]>();
		const body: Uint8Array[] = [];
		await using server = await serveStreams((stream, _headers, raw) => {
			seen.resolve(raw);
			stream.on("data", (chunk: Buffer) => body.push(chunk));
			stream.on("end", () => answer(stream));
		});
		const { connection } = await open(server.address);
		const headers = [...POST, "x-a", "1", "x-b-bin", "YQ", "x-b-bin", "Yg"];
		const { stream, outcome } = exchange(connection, headers);
		stream.write(Buffer.from("one "));
		stream.write(Buffer.from("two "));
		stream.end(Buffer.from("three"));
		expect((await outcome).trailers).toEqual(["grpc-status", "0"]);
		expect(await seen.promise).toEqual(headers);
		expect(String(Buffer.concat(body))).toBe("one two three");
	});

	test("leaves in one DATA frame what was written in one tick", async () => {
		await using server = await serveStreams((stream) => {
			stream.resume().on("end", () => answer(stream));
		});
		await using tap = await tapFrames(server.port);
		const { connection } = await open(tap.address);
		const { stream, outcome } = exchange(connection);
		for (let i = 0; i < 10; i++) stream.write(Buffer.from("1234567"));
		await tap.until((frame) => frame.type === "DATA");
		stream.end();
		await outcome;
		const data = tap.frames.filter(({ type }) => type === "DATA");
		expect(data.map(({ payload }) => payload.length)).toEqual([70, 0]);
		expect(data.map(({ endStream }) => endStream)).toEqual([false, true]);
	});

	test("says when its buffer is full, and when there is room again", async () => {
		let read = (): void => {};
		await using server = await serveStreams((stream) => {
			read = () => stream.resume();
			stream.on("end", () => answer(stream));
		});
		const { connection } = await open(server.address);
		const { stream, writable, outcome } = exchange(connection);
		let written = 0;
		// The window of a Node server is 64 KiB.
		while (written < 100 * 64 * 1024) {
			const room = stream.write(Buffer.alloc(16 * 1024));
			written += 16 * 1024;
			if (!room && (await isBlocked(writable()))) break;
		}
		expect(written).toBeGreaterThanOrEqual(64 * 1024);
		expect(written).toBeLessThan(256 * 1024);
		const room = writable();
		read();
		await room;
		stream.end();
		await outcome;
	});

	test("that is cancelled is reset with nothing before it: no END_STREAM that would complete an upload", async () => {
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
		const { stream } = exchange(connection);
		stream.write(frame("a part"));
		await tap.until(({ type }) => type === "DATA");
		stream.reset(Http2Code.CANCEL);
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

	test("that is cancelled at once sends no more than its headers", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		await using tap = await tapFrames(server.port);
		const { connection } = await open(tap.address);
		const { stream } = exchange(connection);
		stream.write(frame("never sent"));
		stream.reset(Http2Code.CANCEL);
		await call(connection);
		const ofFirst = tap.frames.filter(({ streamId }) => streamId === 1);
		for (const { type, endStream } of ofFirst) {
			expect(["HEADERS", "RST_STREAM"]).toContain(type);
			expect(endStream).toBe(false);
		}
	});

	test("that is cancelled while flow control holds it up leaves no bytes behind in the session", async () => {
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-stuck"] === undefined) answer(stream);
		});
		const { connection } = await open(server.address);
		const upload = Buffer.alloc(4 << 20);
		for (let i = 0; i < 300; i++) {
			const { stream } = exchange(connection, [...POST, "x-stuck", "1"]);
			stream.end(upload);
			await call(connection);
			stream.reset(Http2Code.CANCEL);
		}
		expect((await call(connection)).trailers).toEqual(["grpc-status", "0"]);
	});

	test("goes through beside any number of large ones that flow control holds up", async () => {
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-stuck"] === undefined) answer(stream);
		});
		const { connection } = await open(server.address);
		for (let i = 0; i < 10; i++) {
			exchange(connection, [...POST, "x-stuck", "1"]).stream.end(
				Buffer.alloc(4 << 20),
			);
		}
		const { trailers, reset } = await call(connection);
		expect(reset).toBeUndefined();
		expect(trailers).toEqual(["grpc-status", "0"]);
	});

	test("that HTTP/2 does not allow fails alone, and is not called miscarried: it would be sent again for ever", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		const { connection } = await open(server.address);
		const twice = [...POST, "authorization", "a", "authorization", "b"];
		const { reset } = await exchange(connection, twice).outcome;
		expect(reset?.progress).toBe("processed");
		expect(reset?.cause?.message).toContain("authorization");
		expect((await call(connection)).trailers).toEqual(["grpc-status", "0"]);
	});

	test("with more headers than the peer takes fails alone, and as refused: it would fail again", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		const { connection } = await open(server.address);
		const { outcome } = exchange(connection, [
			...POST,
			"x-large",
			"x".repeat(200_000),
		]);
		const { reset } = await outcome;
		expect(reset).toMatchObject({ progress: "refused", cause: undefined });
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
	test("is headers, data and trailers, raw and in order", async () => {
		await using server = await serveStreams((stream) => {
			respond(stream, { "x-a": ["1", "2"] });
			stream.write("some");
			stream.write(" bytes");
			finish(stream, { "grpc-status": 5, "x-b": ["3", "4"] });
		});
		const { connection } = await open(server.address);
		const { headers, body, trailers, reset } = await call(connection);
		expect(headers?.slice(0, 4)).toEqual([
			":status",
			"200",
			"content-type",
			"application/grpc",
		]);
		expect(headers?.join(" ")).toContain("x-a 1 x-a 2");
		expect(String(body)).toBe("some bytes");
		expect(trailers).toEqual(["grpc-status", "5", "x-b", "3", "x-b", "4"]);
		expect(reset).toBeUndefined();
	});

	test("of trailers only is headers and an end without trailers", async () => {
		await using server = await serveStreams((stream) => refuse(stream, 5));
		const { connection } = await open(server.address);
		const { headers, trailers } = await call(connection);
		expect(headers).toContain("grpc-status");
		expect(trailers).toEqual([]);
	});

	test("may have headers of information before its own (HTTP 103)", async () => {
		await using server = await serveStreams((stream) => {
			stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
			answer(stream);
		});
		const { connection } = await open(server.address);
		const { headers } = await call(connection);
		expect(headers?.[1]).toBe("200");
	});

	test("on a socket that is a stream of JavaScript's, where Node tells data first, has its headers first", async () => {
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
		connection
			.open(POST, {
				headers: (_, isLast) => told.push(`headers ${isLast}`),
				data: (chunk) => told.push(`data ${chunk.length}`),
				end: (trailers) => {
					told.push(`end ${trailers}`);
					ended.resolve();
				},
				reset: () => ended.resolve(),
				writable: () => {},
			})
			.end(frame());
		await ended.promise;
		expect(told).toEqual([
			"headers false",
			"data 6",
			"data 6",
			"end grpc-status,5",
		]);
		connection.destroy();
		await server.stop();
	});

	test("that ends with data, without trailers, ends", async () => {
		await using server = await serveStreams((stream) => {
			stream.respond({ ":status": 200, "content-type": "application/grpc" });
			stream.end("bytes");
		});
		const { connection } = await open(server.address);
		const { body, trailers } = await call(connection);
		expect(String(body)).toBe("bytes");
		expect(trailers).toEqual([]);
	});

	test("that is whole before the request is counts as whole", async () => {
		await using server = await serveStreams((stream) => {
			answer(stream, "early");
		});
		const { connection } = await open(server.address);
		const { stream, outcome } = exchange(connection);
		stream.write(frame("a part"));
		expect((await outcome).trailers).toEqual(["grpc-status", "0"]);
		stream.reset(Http2Code.CANCEL);
	});

	test("that is whole before a large request lets go of what was not sent yet", async () => {
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

	test("to a request that was whole resets nothing", async () => {
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
		"that is whole counts, though a reset with %s comes right behind it",
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
			expect(body).toHaveLength(10_005);
			expect(trailers).toEqual(["grpc-status", "0"]);
			await server.stop();
		},
	);

	test("that is whole counts, though the connection ends right behind it", async () => {
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
		expect(body).toHaveLength(10_005);
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
		const { stream, sofar } = exchange(connection);
		stream.end(frame());
		stream.reset(Http2Code.CANCEL);
		await responded.promise;
		await call(connection);
		expect(sofar).toMatchObject({ headers: undefined, trailers: undefined });
		expect(sofar.reset).toBeUndefined();
	});
});

describe("flow control", () => {
	test("a paused stream stops its server once its window is full, and no other stream", async () => {
		let written = 0;
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-fast"] === undefined) {
				answer(stream, "quick");
				return;
			}
			respond(stream);
			const write = (): void => {
				while (written < 64 << 20) {
					written += 16 * 1024;
					if (!stream.write(Buffer.alloc(16 * 1024))) {
						stream.once("drain", write);
						return;
					}
				}
				finish(stream);
			};
			write();
		});
		const { connection } = await open(server.address);
		const { stream, data, sofar, outcome } = exchange(connection, [
			...POST,
			"x-fast",
			"1",
		]);
		stream.end();
		await data();
		stream.pause();
		let before = -1;
		while (before !== written) {
			before = written;
			for (let i = 0; i < 5; i++) {
				expect((await call(connection)).trailers).toEqual(["grpc-status", "0"]);
			}
		}
		expect(written).toBeGreaterThan(STREAM_WINDOW_BYTES / 2);
		expect(written).toBeLessThan(STREAM_WINDOW_BYTES + (512 << 10));
		stream.resume();
		await outcome;
		expect(sofar.bodyBytes).toBe(64 << 20);
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
			const { stream, outcome } = exchange(connection);
			stream.write(frame());
			expect((await outcome).reset).toEqual({
				code: Http2Code[name],
				progress,
				cause: undefined,
			});
		},
	);

	test("in the middle of a response comes after what was sent", async () => {
		await using server = await serveStreams((stream) => {
			respond(stream);
			stream.write(frame("first"), () =>
				stream.close(Http2Code.INTERNAL_ERROR),
			);
		});
		const { connection } = await open(server.address);
		const { headers, body, reset } = await call(connection);
		expect(headers).toBeDefined();
		expect(body).toEqual(frame("first"));
		expect(reset?.code).toBe(Http2Code.INTERNAL_ERROR);
	});

	test("leaves the other streams alone", async () => {
		await using server = await serveStreams((stream, headers) => {
			if (headers["x-bad"] !== undefined) stream.close(Http2Code.CANCEL);
			else setTimeout(() => answer(stream), 20);
		});
		const { connection } = await open(server.address);
		const good = call(connection);
		const bad = exchange(connection, [...POST, "x-bad", "1"]);
		bad.stream.end();
		expect((await bad.outcome).reset?.code).toBe(Http2Code.CANCEL);
		expect((await good).trailers).toEqual(["grpc-status", "0"]);
	});
});

describe("a lost connection", () => {
	test("resets every stream, with its cause, and is closed after them", async () => {
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
		for (const { reset } of await Promise.all(calls)) {
			expect(reset?.progress).toBe("processed");
			expect(reset?.cause).toBeInstanceOf(Error);
			expect(reset?.cause?.message).not.toBe("");
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
		const { reset } = await call(connection);
		expect(reset?.cause?.message).toContain("ECONNRESET");
		expect((await closed)?.message).toContain("ECONNRESET");
		await server.stop();
	});

	test("takes no new streams: they are reset later, as miscarried, with the cause", async () => {
		await using server = await serveStreams(() => {});
		const { connection, closed } = await open(server.address);
		server.cut();
		await closed;
		const { outcome, sofar, stream } = exchange(connection);
		expect(sofar.reset).toBeUndefined();
		stream.write(frame());
		stream.end();
		stream.pause();
		stream.resume();
		const { reset } = await outcome;
		expect(reset?.progress).toBe("miscarried");
		expect(reset?.cause).toBeInstanceOf(Error);
	});
});

describe("GOAWAY", () => {
	test("is told, with its code and words", async () => {
		await using server = await serveStreams(() => {});
		const connecting = server.connection();
		const { goaways, wentAway } = await open(server.address);
		(await connecting).goaway(Http2Code.NO_ERROR, 0, Buffer.from("max_age"));
		await wentAway;
		expect(goaways).toEqual([{ code: 0, debugData: "max_age" }]);
	});

	test("lets the streams up to its last one finish, and tells of those above that they have missed it", async () => {
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
		expect((await calls[2])?.reset).toMatchObject({ progress: "miscarried" });
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
		const { reset } = await call(connection);
		expect(reset?.cause?.message).toBe(
			"the peer closed the connection: GOAWAY with error code 11 too_many_pings",
		);
		expect(await closed).toBe(reset?.cause);
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
			const { outcome, sofar, stream } = exchange(connection);
			stream.write(frame());
			stream.end();
			stream.pause();
			stream.resume();
			expect(sofar.reset).toBeUndefined();
			expect((await outcome).reset).toMatchObject({ progress: "miscarried" });
			stream.reset(Http2Code.CANCEL);
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
	expect((await inFlight).reset?.cause).toBe(error);
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

	test("gets them one after the other, and all in the end", async () => {
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

	test("never sees one that was cancelled while it waited for its turn", async () => {
		const { server, seen } = await allowing(1);
		await using _ = server;
		const { connection } = await open(server.address);
		const first = call(connection);
		const waiting = exchange(connection);
		waiting.stream.end(frame());
		waiting.stream.reset(Http2Code.CANCEL);
		const last = call(connection);
		await Promise.all([first, last]);
		expect(seen()).toBe(2);
	});
});

test("the header block of the raw server is as Node reads it", () => {
	// Guards the raw server that these tests stand on.
	expect(headerBlock([["a", "b"]])).toEqual(Buffer.from([0, 1, 0x61, 1, 0x62]));
});
