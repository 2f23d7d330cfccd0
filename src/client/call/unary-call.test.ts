import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import { Server } from "homing/server";
import { describe, expect, test } from "vitest";
import { tapFrames } from "../../../testdata/harness/frame-tap.ts";
import {
	answer,
	finish,
	frame,
	refuse,
	respond,
	serveRoutes,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceServer } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import {
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { channelOf } from "../client-object.ts";

async function echoServer(
	echo: EchoServiceServer["echo"],
): Promise<AsyncDisposable & { address: string; server: Server }> {
	const server = new Server();
	RegisterEchoServiceServer(server, { echo });
	const { address } = await server.listen("127.0.0.1:0");
	return {
		address,
		server,
		[Symbol.asyncDispose]: () => server.shutdown({ graceMs: 0 }),
	};
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
	const error = await call.then(
		() => undefined,
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(ConnectError);
	return error as ConnectError;
}

describe("a unary call", () => {
	test("tells headers and trailers to its options, once each", async () => {
		await using server = await serveStreams((stream) => {
			respond(stream, { "x-head": ["1", "2"], "x-data-bin": "YQ==" });
			stream.write(frame());
			finish(stream, { "grpc-status": 0, "x-tail": "3" });
		});
		await using echo = NewEchoServiceClient(server.address);
		const heard: Headers[] = [];
		await echo.echo(
			{},
			{
				onHeader: (header) => heard.push(header),
				onTrailer: (trailer) => heard.push(trailer),
			},
		);
		const [header, trailer] = heard;
		expect(heard).toHaveLength(2);
		expect(header?.get("x-head")).toBe("1, 2");
		expect(header?.get("x-data-bin")).toBe("YQ==");
		expect(trailer?.get("x-tail")).toBe("3");
	});

	test("that fails rejects with the server's code, words and metadata, and its message is not used", async () => {
		await using server = await serveStreams((stream) => {
			respond(stream, { "x-head": "1" });
			stream.write(frame());
			finish(stream, {
				"grpc-status": 9,
				"grpc-message": "not now",
				"x-tail": "2",
			});
		});
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}));
		expect(error).toMatchObject({
			code: Code.FailedPrecondition,
			rawMessage: "not now",
			message: "[failed_precondition] not now",
		});
		expect(error.metadata.get("x-head")).toBe("1");
		expect(error.metadata.get("x-tail")).toBe("2");
	});

	test("that fails in trailers only has their metadata", async () => {
		await using server = await serveStreams((stream) =>
			refuse(stream, 5, "gone", { "x-a": "1" }),
		);
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.NotFound);
		expect(error.metadata.get("x-a")).toBe("1");
	});

	test.each([
		[0, "none"],
		[2, "more"],
	])("answered with %d messages is UNIMPLEMENTED", async (count, said) => {
		await using server = await serveStreams((stream) => {
			respond(stream);
			for (let i = 0; i < count; i++) stream.write(frame());
			finish(stream);
		});
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.Unimplemented);
		expect(error.rawMessage).toContain(`the server sent ${said}`);
	});

	test("answered with what does not parse is INTERNAL", async () => {
		await using server = await serveStreams((stream) =>
			answer(stream, Uint8Array.of(10, 9)),
		);
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.Internal);
		expect(error.rawMessage).toContain("the response is no echo.Resp");
	});

	test("answered before its request is complete has that answer", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		await using echo = NewEchoServiceClient(server.address);
		await echo.echo({ mes: "x".repeat(1 << 20) });
		await echo.echo({});
		expect(server.accepted).toBe(1);
	});

	test("leaves nothing in flight, however it ends", async () => {
		let mode = 0;
		await using server = await serveStreams((stream) => {
			mode += 1;
			if (mode === 1) answer(stream);
			else if (mode === 2) refuse(stream, 5);
			else if (mode === 3) stream.close(2);
			else if (mode === 4) stream.session?.destroy();
		});
		await using echo = NewEchoServiceClient(server.address);
		const channel = channelOf(echo);
		await echo.echo({});
		await failure(echo.echo({}));
		await failure(echo.echo({}));
		await failure(echo.echo({}));
		await failure(echo.echo({}, { timeoutMs: 20 }));
		await failure(echo.echo({}, { signal: AbortSignal.abort() }));
		await failure(echo.echo({ mes: 5n as never }, { timeoutMs: 20 }));
		expect(channel?.snapshot()).toMatchObject({
			callsInFlight: 0,
			callsWaiting: 0,
		});
	});

	test("whose stream is reset names the server and the reason", async () => {
		await using server = await serveStreams((stream) => stream.close(0xb));
		await using echo = NewEchoServiceClient(server.address);
		expect(await failure(echo.echo({}))).toMatchObject({
			code: Code.ResourceExhausted,
			rawMessage: `${server.address}: the server reset the stream (ENHANCE_YOUR_CALM)`,
		});
	});

	test("whose connection is lost is UNAVAILABLE, and names the server", async () => {
		await using server = await serveStreams((stream) => {
			stream.session?.destroy();
		});
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toMatch(
			new RegExp(`^${server.address}: connection lost: .`),
		);
		expect(error.cause).toBeInstanceOf(Error);
	});

	test("of a thousand at once, to a server that takes a hundred at a time, is answered", async () => {
		let current = 0;
		let most = 0;
		await using server = await serveStreams(
			(stream) => {
				most = Math.max(most, ++current);
				stream.on("close", () => {
					current -= 1;
				});
				const body: Buffer[] = [];
				stream.on("data", (chunk: Buffer) => body.push(chunk));
				stream.on("end", () => {
					// A request and a response have the same one field.
					answer(stream, Buffer.concat(body).subarray(5));
				});
			},
			{ settings: { maxConcurrentStreams: 100 } },
		);
		await using echo = NewEchoServiceClient(server.address, {
			maxConnectionsPerEndpoint: 1,
		});
		const calls = Array.from({ length: 1000 }, (_, i) =>
			echo.echo({ mes: `${i}` }),
		);
		const answers = await Promise.all(calls);
		expect(answers.map(({ resp }) => resp)).toEqual(
			calls.map((_, i) => `${i}`),
		);
		expect(most).toBe(100);
		expect(server.accepted).toBe(1);
	});

	test("beyond what the server takes at a time waits no longer than its deadline, and is never seen", async () => {
		let seen = 0;
		const free = Promise.withResolvers<void>();
		await using server = await serveStreams(
			(stream) => {
				if (++seen > 1) answer(stream);
				else stream.on("close", () => free.resolve());
			},
			{ settings: { maxConcurrentStreams: 1 } },
		);
		await using echo = NewEchoServiceClient(server.address, {
			maxConnectionsPerEndpoint: 1,
		});
		const first = new AbortController();
		const held = failure(echo.echo({}, { signal: first.signal }));
		const error = await failure(echo.echo({}, { timeoutMs: 60 }));
		expect(error.code).toBe(Code.DeadlineExceeded);
		first.abort();
		await held;
		await free.promise;
		await echo.echo({});
		expect(seen).toBe(2);
	});
});

describe("limits and compression", () => {
	const mebi = 1024 * 1024;

	test("a response of exactly the limit arrives, one byte more is RESOURCE_EXHAUSTED", async () => {
		// "resp" costs its bytes, one for the tag and four for the length.
		await using server = await echoServer(({ mes }) => ({
			resp: "x".repeat(Number(mes)),
		}));
		await using echo = NewEchoServiceClient(server.address);
		const fits = 4 * mebi - 5;
		expect((await echo.echo({ mes: String(fits) })).resp.length).toBe(fits);
		const error = await failure(echo.echo({ mes: String(fits + 1) }));
		expect(error.code).toBe(Code.ResourceExhausted);
		expect(error.rawMessage).toContain(
			`limit of ${4 * mebi} (maxResponseMessageBytes of this client)`,
		);
	});

	test("a request above maxRequestMessageBytes is refused before it is sent", async () => {
		let calls = 0;
		await using server = await echoServer(() => {
			calls++;
			return {};
		});
		await using echo = NewEchoServiceClient(server.address, {
			methods: { echo: { maxRequestMessageBytes: 10 } },
		});
		await echo.echo({ mes: "x".repeat(8) });
		const error = await failure(echo.echo({ mes: "x".repeat(9) }));
		expect(error.code).toBe(Code.ResourceExhausted);
		expect(error.rawMessage).toBe(
			"the request message has 11 bytes, more than the 10 that this client sends (maxRequestMessageBytes of its options or of the service config)",
		);
		expect(calls).toBe(1);
	});

	test("a request of exactly 4 MiB arrives whole", async () => {
		await using server = await echoServer(({ mes }) => ({
			resp: `${mes.length}`,
		}));
		await using echo = NewEchoServiceClient(server.address);
		const fits = 4 * mebi - 5;
		const { resp } = await echo.echo({ mes: "x".repeat(fits) });
		expect(resp).toBe(`${fits}`);
		const error = await failure(echo.echo({ mes: "x".repeat(fits + 1) }));
		expect(error.code).toBe(Code.ResourceExhausted);
	});

	test.each<[string, object, object]>([
		["the client", { maxResponseMessageBytes: 10 }, {}],
		["the method", {}, { maxResponseMessageBytes: 10 }],
	])(
		"%s can set the limit of responses, also above 4 MiB",
		async (_, client, method) => {
			await using server = await echoServer(({ mes }) => ({
				resp: "x".repeat(Number(mes)),
			}));
			await using echo = NewEchoServiceClient(server.address, {
				...client,
				methods: { echo: method },
			});
			expect((await echo.echo({ mes: "8" })).resp).toHaveLength(8);
			const error = await failure(echo.echo({ mes: "9" }));
			expect(error.code).toBe(Code.ResourceExhausted);

			await using wide = NewEchoServiceClient(server.address, {
				maxResponseMessageBytes: 8 * mebi,
			});
			const { resp } = await wide.echo({ mes: `${5 * mebi}` });
			expect(resp).toHaveLength(5 * mebi);
		},
	);

	test("compressed requests arrive whole, and are small on the wire", async () => {
		await using server = await echoServer(({ mes }) => ({ resp: mes }));
		const port = Number(server.address.split(":")[1]);
		await using tap = await tapFrames(port);
		await using echo = NewEchoServiceClient(tap.address, {
			compression: "gzip",
		});
		const mes = "homing ".repeat(100_000);
		expect((await echo.echo({ mes })).resp).toBe(mes);
		const sent = tap.frames
			.filter(({ type }) => type === "DATA")
			.reduce((bytes, { payload }) => bytes + payload.length, 0);
		expect(sent).toBeLessThan(10_000);
	});

	test("compressed responses are read, at once or on another thread, whatever the client itself sends", async () => {
		await using server = await serveRoutes(
			(router) =>
				router.service(EchoService, {
					echo: ({ mes }) => ({ resp: mes.repeat(1000) }),
				}),
			{ gzip: true },
		);
		await using echo = NewEchoServiceClient(server.address);
		for (const mes of ["tiny", randomBytes(100).toString("hex")]) {
			expect((await echo.echo({ mes })).resp).toBe(mes.repeat(1000));
		}
	});

	test("a gzip bomb stops at the limit", async () => {
		const bomb = gzipSync(Buffer.alloc(64 * mebi));
		await using server = await serveStreams((stream) => {
			respond(stream, { "grpc-encoding": "gzip" });
			stream.write(frame(bomb, 1));
			finish(stream);
		});
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.ResourceExhausted);
		expect(error.rawMessage).toContain("inflates to more than the limit");
	});

	test.each([
		[1023, 0],
		[1024, 1],
	])(
		"of a request of %i bytes, the compressed flag is %i",
		async (bytes, flag) => {
			const first = Promise.withResolvers<number | undefined>();
			await using server = await serveStreams((stream, headers) => {
				expect(headers["grpc-encoding"]).toBe("gzip");
				stream.once("data", (chunk: Buffer) => {
					first.resolve(chunk[0]);
					stream.respond({ ":status": 503 }, { endStream: true });
				});
			});
			await using echo = NewEchoServiceClient(server.address, {
				compression: "gzip",
			});
			await failure(echo.echo({ mes: "x".repeat(bytes - 3) }));
			expect(await first.promise).toBe(flag);
		},
	);
});
