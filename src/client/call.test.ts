import { once } from "node:events";
import { createServer } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { Channel, type Resolver } from "homing";
import { Server } from "homing/server";
import { describe, expect, test } from "vitest";
import { serveStreams } from "../../testdata/harness/http2-server.ts";
import type { EchoServiceServer } from "../../testdata/services/gen/echo/echo_rpc.ts";
import {
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../testdata/services/gen/echo/echo_rpc.ts";
import {
	NewPaymentClient,
	RegisterPaymentServer,
} from "../../testdata/services/gen/microservice/v1/payment_rpc.ts";

const never = new Promise<never>(() => {});

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

/** Endpoints that never come. */
const silentResolver: Resolver = {
	// biome-ignore lint/correctness/useYield: it has nothing to say
	async *watch({ signal }) {
		if (!signal.aborted) await once(signal, "abort");
	},
};

describe("a deadline that passes", () => {
	test("while resolving, says so", async () => {
		await using echo = NewEchoServiceClient(silentResolver, {
			timeout: "0.05s",
		});
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(error.rawMessage).toBe(
			"the deadline of 50 ms passed while resolving the resolver",
		);
	});

	test("while connecting, names the address", async () => {
		// Accepts, and says nothing.
		const silent = createServer(() => {}).listen(0, "127.0.0.1");
		await once(silent, "listening");
		const { port } = silent.address() as { port: number };
		await using echo = NewEchoServiceClient(`127.0.0.1:${port}`);
		const error = await failure(echo.echo({}, { timeoutMs: 50 }));
		expect(error.rawMessage).toBe(
			`the deadline of 50 ms passed while waiting for a connection to 127.0.0.1:${port}`,
		);
		silent.close();
	});

	test("with waitForReady, says what the last connection failed of", async () => {
		await using echo = NewEchoServiceClient("127.0.0.1:1", {
			waitForReady: true,
			timeout: "0.1s",
		});
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(error.rawMessage).toContain(
			"passed while waiting for a connection to 127.0.0.1:1; last: connect ECONNREFUSED",
		);
	});

	test("while waiting for credentials, says so", async () => {
		await using server = await echoServer(() => ({}));
		await using echo = NewEchoServiceClient(server.address, {
			credentials: () => never,
			insecureCredentials: true,
		});
		const error = await failure(echo.echo({}, { timeoutMs: 50 }));
		expect(error.rawMessage).toBe(
			"the deadline of 50 ms passed while waiting for credentials",
		);
	});

	test("before the answer, names the server, and tells it", async () => {
		const aborted = Promise.withResolvers<unknown>();
		await using server = await echoServer(async (_request, { signal }) => {
			await once(signal, "abort");
			aborted.resolve(signal.reason);
			return {};
		});
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}, { timeoutMs: 60 }));
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(error.rawMessage).toBe(
			`the deadline of 60 ms passed while waiting for an answer from ${server.address}`,
		);
		// The reset of the client and the timer of the server race.
		expect([Code.DeadlineExceeded, Code.Canceled]).toContain(
			ConnectError.from(await aborted.promise).code,
		);
	});

	test("after response headers, says so", async () => {
		await using server = await serveStreams((stream) => {
			stream.respond({ ":status": 200, "content-type": "application/grpc" });
		});
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}, { timeoutMs: 80 }));
		expect(error.rawMessage).toBe(
			`the deadline of 80 ms passed after response headers from ${server.address} had arrived`,
		);
	});

	test("resets the stream with CANCEL", async () => {
		const codes: Promise<number>[] = [];
		await using server = await serveStreams((stream) => {
			codes.push(once(stream, "close").then(() => stream.rstCode));
		});
		await using echo = NewEchoServiceClient(server.address);
		await failure(echo.echo({}, { timeoutMs: 30 }));
		expect(await Promise.all(codes)).toEqual([8]);
	});

	test("before the call begins, sends nothing", async () => {
		let requests = 0;
		await using server = await serveStreams(() => {
			requests++;
		});
		await using channel = new Channel(server.address);
		await channel.connect();
		await using inner = await echoServer(async (_request, context) => {
			while ((context.timeoutMs() ?? 0) > 0) await new Promise(setImmediate);
			await failure(
				NewEchoServiceClient(channel).echo({}, { parent: context }),
			);
			return {};
		});
		await using echo = NewEchoServiceClient(inner.address);
		await failure(echo.echo({}, { timeoutMs: 30 }));
		await new Promise(setImmediate);
		expect(requests).toBe(0);
	});
});

describe("grpc-timeout", () => {
	test("is what is left of the deadline when the call is sent, and never more", async () => {
		const timeouts: string[] = [];
		await using server = await serveStreams((stream, headers) => {
			timeouts.push(String(headers["grpc-timeout"]));
			stream.respond(
				{
					":status": 200,
					"content-type": "application/grpc",
					"grpc-status": 0,
				},
				{ endStream: true },
			);
		});
		const resolver: Resolver = {
			async *watch() {
				await new Promise((resolve) => setTimeout(resolve, 40));
				yield { endpoints: [{ address: server.address }] };
			},
		};
		await using echo = NewEchoServiceClient(resolver);
		await failure(echo.echo({}, { timeoutMs: 5000 }));
		const ms = Number(/^(\d+)u$/.exec(timeouts[0] ?? "")?.[1]) / 1000;
		expect(ms).toBeLessThanOrEqual(4962);
		expect(ms).toBeGreaterThan(3000);
	});

	test.each([
		["a unary call has 10 s", {}, {}, /^(999\d{4}|99[0-8]\d{4})u$/],
		["0 switches it off for a client", { timeout: 0 }, {}, /^undefined$/],
		["0 switches it off for a call", {}, { timeoutMs: 0 }, /^undefined$/],
		[
			"the call goes before the client",
			{ timeout: 1 },
			{ timeoutMs: 7000 },
			/^6\d{6}u$/,
		],
	] as const)("%s", async (_what, options, callOptions, expected) => {
		let timeout = "";
		await using server = await serveStreams((stream, headers) => {
			timeout = String(headers["grpc-timeout"]);
			stream.respond({ ":status": 503 }, { endStream: true });
		});
		await using echo = NewEchoServiceClient(server.address, options);
		await failure(echo.echo({}, callOptions));
		expect(timeout).toMatch(expected);
	});
});

describe("cancellation", () => {
	test("by a signal is CANCELED, with the reason as cause, and reaches the handler", async () => {
		const reason = new Error("the user went away");
		const started = Promise.withResolvers<void>();
		const left = Promise.withResolvers<unknown>();
		await using server = await echoServer(async (_request, { signal }) => {
			started.resolve();
			await once(signal, "abort");
			left.resolve(signal.reason);
			return {};
		});
		await using echo = NewEchoServiceClient(server.address);
		const controller = new AbortController();
		const call = failure(echo.echo({}, { signal: controller.signal }));
		await started.promise;
		controller.abort(reason);
		const error = await call;
		expect(error.code).toBe(Code.Canceled);
		expect(error.cause).toBe(reason);
		expect(error.rawMessage).toContain("the user went away");
		expect(ConnectError.from(await left.promise).code).toBe(Code.Canceled);
	});

	test("by AbortSignal.timeout is DEADLINE_EXCEEDED", async () => {
		await using server = await echoServer(() => never);
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(
			echo.echo({}, { signal: AbortSignal.timeout(20) }),
		);
		expect(error.code).toBe(Code.DeadlineExceeded);
	});

	test("before the call sends nothing", async () => {
		let calls = 0;
		await using server = await echoServer(() => {
			calls++;
			return {};
		});
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(
			echo.echo({}, { signal: AbortSignal.abort(new Error("too late")) }),
		);
		expect(error.code).toBe(Code.Canceled);
		await echo.echo({});
		expect(calls).toBe(1);
	});
});

describe("calls inside a handler", () => {
	test("inherit what is left of its deadline", async () => {
		const left: (number | undefined)[] = [];
		await using back = await echoServer((_request, context) => {
			left.push(context.timeoutMs());
			return {};
		});
		await using inner = NewEchoServiceClient(back.address);
		await using front = await echoServer(async () => {
			await inner.echo({});
			await inner.echo({}, { timeoutMs: 60_000 });
			await inner.echo({}, { parent: false });
			return {};
		});
		await using echo = NewEchoServiceClient(front.address);
		await echo.echo({}, { timeoutMs: 5000 });
		const [inherited = 0, cut = 0, free = 0] = left;
		expect(inherited).toBeGreaterThan(3000);
		expect(inherited).toBeLessThanOrEqual(5000);
		expect(cut).toBeLessThanOrEqual(inherited);
		expect(free).toBeGreaterThan(5000);
	});

	test("say that the deadline was inherited", async () => {
		const message = Promise.withResolvers<string>();
		await using back = await echoServer(() => never);
		await using inner = NewEchoServiceClient(back.address);
		await using front = await echoServer(async () => {
			message.resolve((await failure(inner.echo({}))).rawMessage);
			return {};
		});
		await using echo = NewEchoServiceClient(front.address);
		await failure(echo.echo({}, { timeoutMs: 80 }));
		expect(await message.promise).toMatch(/^the inherited deadline of \d+/);
	});

	test("are cancelled when it is, but not when it ends well", async () => {
		const started = Promise.withResolvers<void>();
		const codes = Promise.withResolvers<Code>();
		const release = Promise.withResolvers<void>();
		let background: Promise<unknown> = never;
		await using back = await echoServer(async ({ mes }) => {
			started.resolve();
			await (mes === "background" ? release.promise : never);
			return { resp: mes };
		});
		await using inner = NewEchoServiceClient(back.address);
		await using front = await echoServer(async ({ mes }) => {
			const call = inner.echo({ mes });
			if (mes === "background") {
				background = call;
				await started.promise;
				return {};
			}
			codes.resolve((await failure(call)).code);
			return {};
		});
		await using echo = NewEchoServiceClient(front.address);
		await echo.echo({ mes: "background" });
		release.resolve();
		expect(await background).toMatchObject({ resp: "background" });

		const controller = new AbortController();
		const call = failure(
			echo.echo({ mes: "x" }, { signal: controller.signal }),
		);
		await new Promise((resolve) => setTimeout(resolve, 20));
		controller.abort();
		expect((await call).code).toBe(Code.Canceled);
		expect(await codes.promise).toBe(Code.Canceled);
	});
});

describe("a call that fails fast", () => {
	test("names the target, the addresses tried, and the last error", async () => {
		await using echo = NewEchoServiceClient("ipv4:127.0.0.1:1,127.0.0.1:2");
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toMatch(
			/^no connection to ipv4:127\.0\.0\.1:1,127\.0\.0\.1:2 \(tried 127\.0\.0\.1:1, 127\.0\.0\.1:2\): connect ECONNREFUSED/,
		);
	});

	test("with waitForReady, waits for the server to come", async () => {
		const probe = createServer().listen(0, "127.0.0.1");
		await once(probe, "listening");
		const { port } = probe.address() as { port: number };
		probe.close();
		await once(probe, "close");
		await using echo = NewEchoServiceClient(`127.0.0.1:${port}`);
		const call = echo.echo({ mes: "late" }, { waitForReady: true });
		await new Promise((resolve) => setTimeout(resolve, 50));
		await using server = new Server();
		RegisterEchoServiceServer(server, { echo: ({ mes }) => ({ resp: mes }) });
		await server.listen(`127.0.0.1:${port}`);
		expect((await call).resp).toBe("late");
	});

	test("with a connection that is lost, names the server", async () => {
		await using server = await serveStreams((stream) => {
			stream.session?.destroy();
		});
		await using echo = NewEchoServiceClient(server.address);
		const error = await failure(echo.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toContain(`${server.address}: connection lost`);
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
		expect(error.rawMessage).toContain(`limit of ${4 * mebi}`);
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
		expect(error.rawMessage).toContain("maxRequestMessageBytes, 10");
		expect(calls).toBe(1);
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

describe("credentials", () => {
	test("are added to each call, with the caller's own metadata", async () => {
		const seen: string[] = [];
		await using server = await echoServer((_request, { requestHeader }) => {
			seen.push(
				`${requestHeader.get("authorization")} ${requestHeader.get("x-own")}`,
			);
			return {};
		});
		let token = 0;
		await using echo = NewEchoServiceClient(server.address, {
			credentials: async ({ service, method }) => ({
				authorization: `${service}/${method} ${++token}`,
			}),
			insecureCredentials: true,
		});
		await echo.echo({}, { headers: { "x-own": "a" } });
		await echo.echo({}, { headers: { "x-own": "b" } });
		expect(seen).toEqual([
			"echo.EchoService/Echo 1 a",
			"echo.EchoService/Echo 2 b",
		]);
	});

	test("that cannot be had fail the call with UNAUTHENTICATED, or with their own code", async () => {
		await using server = await echoServer(() => ({}));
		const clientWith = (thrown: unknown) =>
			NewEchoServiceClient(server.address, {
				credentials: () => Promise.reject(thrown),
				insecureCredentials: true,
			});
		await using plain = clientWith(new Error("no token"));
		const error = await failure(plain.echo({}));
		expect(error.code).toBe(Code.Unauthenticated);
		expect(error.rawMessage).toContain("no token");
		await using coded = clientWith(new ConnectError("x", Code.Unavailable));
		expect((await failure(coded.echo({}))).code).toBe(Code.Unavailable);
	});

	test("are refused over plaintext, unless that is said to be safe", () => {
		expect(() =>
			NewEchoServiceClient("localhost:1", { credentials: () => ({}) }),
		).toThrow(/^credentials: .*insecureCredentials/);
	});
});

describe("hooks", () => {
	test("hear of calls, attempts, and metadata that was left out", async () => {
		const heard: string[] = [];
		await using server = await echoServer(({ mes }) => {
			if (mes === "fail") throw new ConnectError("no", Code.NotFound);
			return {};
		});
		await using echo = NewEchoServiceClient(server.address, {
			hooks: {
				callStart: ({ method }) => heard.push(`start ${method}`),
				callEnd: (_call, { code, attempts }) =>
					heard.push(`end ${code} ${attempts}`),
				attemptStart: (_call, { number, endpoint }) =>
					heard.push(`attempt ${number} ${endpoint.address}`),
				attemptEnd: (_call, { code }) => heard.push(`attempt end ${code}`),
				metadataDropped: (_call, name) => heard.push(`dropped ${name}`),
			},
		});
		await echo.echo({}, { headers: { "grpc-timeout": "1S", te: "x" } });
		await failure(echo.echo({ mes: "fail" }));
		const attempt = `attempt 1 ${server.address}`;
		expect(heard).toEqual([
			"start Echo",
			attempt,
			"dropped grpc-timeout",
			"dropped te",
			"attempt end undefined",
			"end undefined 1",
			"start Echo",
			attempt,
			`attempt end ${Code.NotFound}`,
			`end ${Code.NotFound} 1`,
		]);
	});
});

describe("an endpoint that is removed", () => {
	test("gets no new calls, and the calls that it has end well", async () => {
		const release = Promise.withResolvers<void>();
		const started = Promise.withResolvers<void>();
		await using old = await echoServer(async () => {
			started.resolve();
			await release.promise;
			return { resp: "old" };
		});
		await using fresh = await echoServer(() => ({ resp: "fresh" }));
		const move = Promise.withResolvers<void>();
		const resolver: Resolver = {
			async *watch() {
				yield { endpoints: [{ address: old.address }] };
				await move.promise;
				yield { endpoints: [{ address: fresh.address }] };
			},
		};
		const moved = Promise.withResolvers<void>();
		await using echo = NewEchoServiceClient(resolver, {
			hooks: {
				endpointState: ({ address }, state) => {
					if (address === fresh.address && state === "ready") moved.resolve();
				},
			},
		});
		const slow = echo.echo({});
		await started.promise;
		move.resolve();
		await moved.promise;
		expect((await echo.echo({})).resp).toBe("fresh");
		release.resolve();
		expect((await slow).resp).toBe("old");
	});
});

test("streams have a deadline only by method or by call", async () => {
	await using server = new Server();
	const timeouts: (number | undefined)[] = [];
	RegisterPaymentServer(server, {
		create: () => ({}),
		async *createStream(requests, context) {
			timeouts.push(context.timeoutMs());
			for await (const _ of requests) yield {};
		},
	});
	const { address } = await server.listen("127.0.0.1:0");
	const drain = async (stream: AsyncIterable<unknown>): Promise<void> => {
		for await (const _ of stream);
	};
	await using wide = NewPaymentClient(address, { timeout: "3s" });
	await drain(wide.createStream([]));
	await drain(wide.createStream([], { timeoutMs: 2000 }));
	await using narrow = NewPaymentClient(address, {
		methods: { createStream: { timeout: "1s" } },
	});
	await drain(narrow.createStream([]));
	expect(timeouts[0]).toBeUndefined();
	expect(timeouts[1]).toBeLessThanOrEqual(2000);
	expect(timeouts[2]).toBeLessThanOrEqual(1000);
});
