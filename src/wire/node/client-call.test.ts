import { EventEmitter } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { startOf } from "../../../testdata/harness/call-start.ts";
import type { CallEnd, ClientCall, RequestProgress } from "../connection.ts";
import type { RawHeaders } from "../headers.ts";
import { Http2Code } from "../http2-code.ts";
import { NodeClientCall } from "./client-call.ts";

const KIB = 1024;
const OK: RawHeaders = [":status", "200", "content-type", "application/grpc"];
const MESSAGE = Buffer.from("\0\0\0\0\x02hi");

/** A stream that notes what is done with it. 100 KiB at a time fill it. */
class NotedStream extends EventEmitter {
	readonly done: string[] = [];
	readonly destroyed = false;
	readonly writableFinished = true;
	readonly writableLength = 0;
	closed = false;
	rstCode: number = Http2Code.NO_ERROR;
	push: (chunk: Uint8Array) => boolean = () => true;

	write(chunk: Uint8Array): boolean {
		this.done.push(`write ${chunk.length}`);
		return chunk.length < 100 * KIB;
	}

	end(last?: Uint8Array): void {
		this.done.push(`end ${last?.length ?? 0}`);
	}

	close(code: number): void {
		this.closed = true;
		this.done.push(`reset ${code}`);
	}

	_read(): void {
		this.done.push("resume");
	}
}

/** The server's part of a call. */
class Server {
	readonly #stream: NotedStream;
	progress: RequestProgress = "processed";
	loss: Error | undefined;

	constructor(stream: NotedStream) {
		this.#stream = stream;
	}

	headers(headers: RawHeaders, isLast: boolean): void {
		this.#stream.emit("response", {}, isLast ? 1 : 0, headers);
	}

	data(chunk: Uint8Array): void {
		if (!this.#stream.push(chunk)) this.#stream.done.push("pause");
	}

	end(trailers: RawHeaders): void {
		if (trailers.length > 0) this.#stream.emit("trailers", {}, 1, trailers);
		this.#stream.emit("end");
		this.#stream.emit("close");
	}

	reset(code: number, progress: RequestProgress = "processed"): void {
		this.progress = progress;
		this.#stream.rstCode = code;
		this.#stream.emit("close");
	}

	/** Its connection is lost. */
	lose(cause: Error): void {
		this.loss = cause;
		this.#stream.emit("close");
	}

	/** Has read what filled the stream. */
	drain(): void {
		this.#stream.emit("drain");
	}
}

interface Play {
	readonly call: ClientCall;
	readonly server: Server;
	/** What the stream was told to do, in order. */
	readonly done: string[];
	/** What the call told its owner, in order. */
	readonly heard: string[];
	/** How the call has ended. */
	readonly ended: () => CallEnd;
}

/** A call on a stream that the test plays the server of. */
function play(maxMessageBytes = 1000): Play {
	const heard: string[] = [];
	let ended: CallEnd | undefined;
	const stream = new NotedStream();
	const server = new Server(stream);
	const call = new NodeClientCall(
		stream as unknown as ClientHttp2Stream,
		startOf({ maxMessageBytes }),
		{
			headers: (headers) => heard.push(`headers ${headers.length / 2}`),
			message: (message) => heard.push(`message ${Buffer.from(message)}`),
			writable: () => heard.push("writable"),
			end: (end) => {
				heard.push(`end ${end.code}`);
				ended = end;
			},
		},
		{
			progressOf: () => server.progress,
			get lossOf() {
				return server.loss;
			},
			responded: () => {},
			callClosed: () => {},
		},
	);
	// It has begun to read.
	stream.done.length = 0;
	return {
		call,
		server,
		done: stream.done,
		heard,
		ended: () => ended as CallEnd,
	};
}

const tick = (): Promise<void> =>
	new Promise((resolve) => setImmediate(resolve));

describe("a response", () => {
	test("is headers, messages and a status", () => {
		const { server, heard, ended } = play();
		server.headers([...OK, "x-a", "1"], false);
		server.data(Buffer.concat([MESSAGE, MESSAGE]));
		server.end(["grpc-status", "0", "x-b", "2"]);
		expect(heard).toEqual(["headers 3", "message hi", "message hi", "end 0"]);
		expect(ended()).toEqual({
			code: 0,
			message: "",
			headers: [...OK, "x-a", "1"],
			trailers: ["grpc-status", "0", "x-b", "2"],
			local: false,
			progress: "processed",
			cause: undefined,
		});
	});

	test("that failed has the server's code and message", () => {
		const { server, ended } = play();
		server.headers(OK, false);
		server.end(["grpc-status", "5", "grpc-message", "not %e2%82%ac"]);
		expect(ended()).toMatchObject({
			code: Code.NotFound,
			message: "not €",
			local: false,
			progress: "processed",
		});
	});

	test("that is Trailers-Only has no headers", () => {
		const { server, heard, ended } = play();
		const only = [...OK, "grpc-status", "5", "x-a", "1"];
		server.headers(only, true);
		server.end([]);
		expect(heard).toEqual(["end 5"]);
		expect(ended()).toMatchObject({ headers: [], trailers: only });
	});

	test("with a grpc-status in headers that a body follows has the status of its trailers", () => {
		for (const [first, last] of [
			["0", "5"],
			["5", "0"],
		] as const) {
			const { server, heard, ended } = play();
			server.headers([...OK, "grpc-status", first], false);
			expect(heard).toEqual(["headers 3"]);
			server.data(MESSAGE);
			server.data(MESSAGE);
			server.end(["grpc-status", last]);
			expect(heard.slice(1)).toEqual([
				"message hi",
				"message hi",
				`end ${last}`,
			]);
			expect(ended().trailers).toEqual(["grpc-status", last]);
		}
	});

	test("announces the compression of its messages with grpc-encoding", () => {
		const { server, ended } = play();
		server.headers([...OK, "grpc-encoding", "snappy"], false);
		server.data(Buffer.from("\x01\0\0\0\x02hi"));
		expect(ended().message).toContain('"snappy"');
	});

	test("ends with its status: nothing is heard or done after it", () => {
		const { call, server, done, heard } = play();
		call.end();
		server.headers(OK, false);
		server.end(["grpc-status", "0"]);
		call.send(MESSAGE, false);
		call.end();
		call.cancel();
		server.reset(8);
		expect(heard).toEqual(["headers 2", "end 0"]);
		expect(done).toEqual(["end 0"]);
	});

	test("that ends before the request does ends the request with RST_STREAM", async () => {
		const { call, server, done, ended } = play();
		call.send(Buffer.from("hi"), false);
		await tick();
		server.headers(OK, false);
		server.end(["grpc-status", "0"]);
		expect(done).toEqual(["write 7", `reset ${Http2Code.CANCEL}`]);
		expect(ended()).toMatchObject({ code: 0, local: false });
	});

	test("delivers its end only after it was released", () => {
		const { call, server, heard } = play();
		call.hold();
		server.headers(OK, false);
		server.data(MESSAGE);
		server.end(["grpc-status", "0"]);
		expect(heard).toEqual(["headers 2"]);
		call.release();
		expect(heard).toEqual(["headers 2", "message hi", "end 0"]);
	});
});

describe("a response without a grpc-status", () => {
	test("but with trailers is UNKNOWN", () => {
		const { server, ended } = play();
		server.headers(OK, false);
		server.end(["x-a", "1"]);
		expect(ended()).toMatchObject({
			code: Code.Unknown,
			local: true,
			progress: "processed",
		});
		expect(ended().message).toContain("without a grpc-status");
	});

	test("in its trailers is UNKNOWN, whatever its headers say", () => {
		const { server, ended } = play();
		server.headers([...OK, "grpc-status", "0"], false);
		server.end(["x-a", "1"]);
		expect(ended().code).toBe(Code.Unknown);
	});

	test("that is only headers is UNKNOWN", () => {
		const { server, heard, ended } = play();
		server.headers([...OK, "x-a", "1"], true);
		server.end([]);
		expect(heard).toEqual(["end 2"]);
		expect(ended()).toMatchObject({
			headers: [],
			trailers: [...OK, "x-a", "1"],
			local: true,
		});
	});

	test("and without trailers is INTERNAL, as in grpc-go and grpc-java", () => {
		const { server, ended } = play();
		server.headers(OK, false);
		server.data(MESSAGE);
		server.end([]);
		expect(ended()).toMatchObject({
			code: Code.Internal,
			local: true,
			progress: "processed",
		});
		expect(ended().message).toContain("without trailers");
	});
});

describe("a response that is not gRPC's", () => {
	test.each([
		["503", "text/html", Code.Unavailable],
		["404", undefined, Code.Unimplemented],
		["200", "text/html", Code.Unknown],
		["200", undefined, Code.Unknown],
		["200", "application/grpc-web", Code.Unknown],
		["200", "application/grpcx", Code.Unknown],
		["418", "application/grpc", Code.Unknown],
	])(
		"HTTP %s with content-type %s ends the call at once",
		(status, type, code) => {
			const { server, done, heard, ended } = play();
			server.headers(
				[
					":status",
					status,
					...(type === undefined ? [] : ["content-type", type]),
				],
				false,
			);
			server.data(Buffer.from("<h1>"));
			server.end([]);
			expect(heard).toEqual([`end ${code}`]);
			expect(done).toContain(`reset ${Http2Code.CANCEL}`);
			expect(ended()).toMatchObject({
				local: true,
				message: `not a gRPC response: HTTP status ${status}, content-type ${type === undefined ? "missing" : `"${type}"`}`,
			});
		},
	);

	test("has the status of its own grpc-status, unless that is OK", () => {
		const failed = play();
		failed.server.headers([":status", "503", "grpc-status", "5"], true);
		expect(failed.ended().code).toBe(Code.NotFound);

		const well = play();
		well.server.headers([":status", "503", "grpc-status", "0"], true);
		expect(well.ended().code).toBe(Code.Unavailable);
	});
});

describe("messages", () => {
	test("that are malformed end the call and reset the stream", () => {
		const { server, done, ended } = play(1);
		server.headers(OK, false);
		server.data(MESSAGE);
		expect(done).toContain(`reset ${Http2Code.CANCEL}`);
		expect(ended()).toMatchObject({
			code: Code.ResourceExhausted,
			local: true,
			progress: "processed",
		});
	});

	test("that are cut off are INTERNAL, whatever the status", () => {
		const { server, ended } = play();
		server.headers(OK, false);
		server.data(MESSAGE.subarray(0, 6));
		server.end(["grpc-status", "0"]);
		expect(ended().code).toBe(Code.Internal);
	});
});

describe("a request", () => {
	test("is sent message by message, and tells when to wait", () => {
		const { call, server, done, heard } = play();
		expect(call.send(new Uint8Array(99 * KIB), false)).toBe(true);
		expect(call.send(new Uint8Array(100 * KIB), false)).toBe(false);
		server.drain();
		expect(heard).toEqual(["writable"]);
		expect(call.send(new Uint8Array(2), false)).toBe(true);
		call.end();
		expect(done).toEqual([
			`write ${99 * KIB + 5}`,
			`write ${100 * KIB + 5}`,
			"end 7",
		]);
	});

	test("that has ended takes no more messages", () => {
		const { call, done } = play();
		call.end();
		expect(call.send(MESSAGE, false)).toBe(false);
		call.end();
		expect(done).toEqual(["end 0"]);
	});

	test("that is cancelled is reset once, and nothing is heard of its server", () => {
		const { call, server, done, heard } = play();
		call.cancel();
		call.cancel();
		server.headers(OK, false);
		server.data(MESSAGE);
		server.end(["grpc-status", "0"]);
		server.reset(8);
		expect(done).toEqual([`reset ${Http2Code.CANCEL}`]);
		expect(heard.filter((what) => !what.startsWith("headers"))).toEqual([]);
	});
});

describe("a reset", () => {
	test("of the stream has the code of gRPC's table, and names the reset", () => {
		const { server, ended } = play();
		server.reset(0xb);
		expect(ended()).toMatchObject({
			code: Code.ResourceExhausted,
			message: "the server reset the stream (ENHANCE_YOUR_CALM)",
			local: true,
			progress: "processed",
		});
	});

	test("tells how far the request got", () => {
		const { server, ended } = play();
		server.reset(0x7, "refused");
		expect(ended()).toMatchObject({
			code: Code.Unavailable,
			progress: "refused",
		});
	});

	test("by the loss of the connection is UNAVAILABLE, with the cause", () => {
		const { server, ended } = play();
		const cause = new Error("read ECONNRESET");
		server.headers(OK, false);
		server.lose(cause);
		expect(ended()).toMatchObject({
			code: Code.Unavailable,
			message: "connection lost: read ECONNRESET",
			headers: OK,
			trailers: [],
			cause,
		});
	});

	test("is told after the messages that had arrived, once they may be delivered, and drops an incomplete one", () => {
		const { call, server, heard, ended } = play();
		server.headers(OK, false);
		call.hold();
		server.data(Buffer.concat([MESSAGE, MESSAGE, MESSAGE.subarray(0, 6)]));
		const cause = new Error("read ECONNRESET");
		server.lose(cause);
		expect(heard).toEqual(["headers 2"]);
		call.release();
		expect(heard).toEqual(["headers 2", "message hi", "message hi", "end 14"]);
		expect(ended().message).toBe("connection lost: read ECONNRESET");
	});

	test("is told after a message that is being inflated", async () => {
		const { server, heard } = play(1 << 20);
		server.headers([...OK, "grpc-encoding", "gzip"], false);
		const inflated = Buffer.from(
			Array.from({ length: 20_000 }, (_, i) => String(i)).join(),
		);
		const deflated = gzipSync(inflated);
		const prefix = Buffer.of(1, 0, 0, 0, 0);
		prefix.writeUInt32BE(deflated.length, 1);
		server.data(Buffer.concat([prefix, deflated]));
		server.reset(0x8);
		await expect.poll(() => heard.at(-1)).toBe("end 1");
		expect(heard[1]).toBe(`message ${inflated}`);
	});

	test("that waits for a reader does not block a writer, who may be the same: nobody reads what is sent now", () => {
		const { call, server, done, heard } = play();
		server.headers(OK, false);
		expect(call.send(new Uint8Array(100 * KIB), false)).toBe(false);
		call.hold();
		server.data(MESSAGE);
		server.reset(0x8);
		expect(heard).toEqual(["headers 2", "writable"]);
		expect(call.send(new Uint8Array(100 * KIB), false)).toBe(true);
		expect(done).toEqual([`write ${100 * KIB + 5}`, "pause"]);
		call.release();
		expect(heard.slice(2)).toEqual(["message hi", "end 1"]);
	});

	test("that waits for a reader is dropped by cancel", () => {
		const { call, server, heard } = play();
		server.headers(OK, false);
		call.hold();
		server.data(MESSAGE);
		server.reset(0x8);
		call.cancel();
		call.release();
		expect(heard).toEqual(["headers 2"]);
	});
});
