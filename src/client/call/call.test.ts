import { getEventListeners } from "node:events";
import net from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import {
	type ClientInTime,
	clientInTime,
} from "../../../testdata/harness/client-in-time.ts";
import { FakeClock, settled } from "../../../testdata/harness/fake-clock.ts";
import {
	answer,
	frame,
	type RunningServer,
	respond,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import type { ClientOptions } from "../options/client-options.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

function echoInTime(
	target: string | Resolver,
	options?: ClientOptions,
): ClientInTime<EchoServiceClient> {
	const made = clientInTime<EchoServiceClient>(EchoService, target, options);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

function ordersInTime(
	target: string,
	options?: ClientOptions,
): ClientInTime<OrderManagementClient> {
	const made = clientInTime<OrderManagementClient>(
		OrderManagement,
		target,
		options,
	);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

interface Noting extends RunningServer {
	/** The `grpc-timeout` of each request, "" where there was none. */
	readonly timeouts: string[];
	/** Resolves with the next request. */
	request(): Promise<void>;
	/** Resolves with the error code that the next stream is reset with. */
	reset(): Promise<number>;
}

/** A server that notes requests, and answers as told. */
async function noting(
	onStream: Parameters<typeof serveStreams>[0] = (stream) => answer(stream),
): Promise<Noting> {
	const timeouts: string[] = [];
	let request = Promise.withResolvers<void>();
	let reset = Promise.withResolvers<number>();
	const server = await serveStreams((stream, headers, raw) => {
		timeouts.push(String(headers["grpc-timeout"] ?? ""));
		request.resolve();
		request = Promise.withResolvers();
		stream.on("close", () => {
			if (stream.rstCode === 0) return;
			reset.resolve(stream.rstCode);
			reset = Promise.withResolvers();
		});
		onStream(stream, headers, raw);
	});
	after.push(() => server[Symbol.asyncDispose]());
	return Object.assign(server, {
		timeouts,
		request: () => request.promise,
		reset: () => reset.promise,
	});
}

const silence = (): void => {};

/** A port on which connections are accepted and nothing is said. */
async function silentPort(): Promise<string> {
	const sockets = new Set<net.Socket>();
	const server = net.createServer((socket) => {
		sockets.add(socket);
		socket.on("error", silence);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	after.push(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

/** The error that a call ends with. */
async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
	try {
		await call;
	} catch (error) {
		expect(error).toBeInstanceOf(ConnectError);
		return error as ConnectError;
	}
	throw new Error("the call went well");
}

const neverResolves: Resolver = {
	async *watch({ signal }) {
		yield* [];
		await new Promise((resolve) => signal.addEventListener("abort", resolve));
	},
};

describe("a deadline passes", () => {
	test("while resolving", async () => {
		const { client, clock } = echoInTime(neverResolves);
		const error = errorOf(client.echo({}, { timeoutMs: 500 }));
		await clock.advance(499);
		expect(clock.pending).toBeGreaterThan(0);
		await clock.advance(1);
		expect(await error).toMatchObject({
			code: Code.DeadlineExceeded,
			rawMessage: "the deadline of 500 ms passed while resolving the resolver",
		});
	});

	test("while a resolver fails, with its last words, if the call waits for it", async () => {
		const failing: Resolver = {
			async *watch() {
				yield* [];
				throw new Error("no such name");
			},
		};
		const { client, clock } = echoInTime(failing, { waitForReady: true });
		const error = errorOf(client.echo({}, { timeoutMs: 2000 }));
		await clock.advance(2000);
		expect((await error).rawMessage).toBe(
			"the deadline of 2 s passed while resolving the resolver; last: no such name",
		);
	});

	test("while connecting, naming where to", async () => {
		const address = await silentPort();
		const { client, clock } = echoInTime(address);
		const error = errorOf(client.echo({}, { timeoutMs: 1500 }));
		await clock.advance(1500);
		expect((await error).rawMessage).toBe(
			`the deadline of 1.5 s passed while waiting for a connection to ${address}`,
		);
	});

	test("while connections fail, with the last error, if the call waits for one", async () => {
		const failed = Promise.withResolvers<void>();
		const { client, clock } = echoInTime("127.0.0.1:1", {
			waitForReady: true,
			hooks: {
				endpointState: (_, state) => {
					if (state === "transientFailure") failed.resolve();
				},
			},
		});
		const error = errorOf(client.echo({}, { timeoutMs: 500 }));
		await failed.promise;
		await clock.advance(500);
		expect((await error).rawMessage).toBe(
			"the deadline of 500 ms passed while waiting for a connection to 127.0.0.1:1; last: connect ECONNREFUSED 127.0.0.1:1",
		);
	});

	test("while waiting for credentials", async () => {
		const { client, clock } = echoInTime("127.0.0.1:1", {
			credentials: () => new Promise(silence),
			insecureCredentials: true,
		});
		const error = errorOf(client.echo({}, { timeoutMs: 500 }));
		await clock.advance(500);
		expect((await error).rawMessage).toBe(
			"the deadline of 500 ms passed while waiting for credentials",
		);
	});

	test("while waiting for an answer: the stream is reset", async () => {
		const server = await noting(silence);
		const { client, clock } = echoInTime(server.address);
		const request = server.request();
		const reset = server.reset();
		const error = errorOf(client.echo({}, { timeoutMs: 500 }));
		await request;
		await clock.advance(500);
		expect(await error).toMatchObject({
			code: Code.DeadlineExceeded,
			rawMessage: `the deadline of 500 ms passed while waiting for an answer from ${server.address}`,
		});
		expect(await reset).toBe(8);
	});

	test("after response headers, or while messages still come", async () => {
		const server = await noting((stream) => {
			respond(stream);
			stream.write(frame());
		});
		const { client, clock } = ordersInTime(server.address);
		const stream = client.searchOrders({}, { timeoutMs: 500 });
		await stream.recv();
		const reset = server.reset();
		const error = errorOf(stream.recv());
		await clock.advance(500);
		expect(await error).toMatchObject({
			code: Code.DeadlineExceeded,
			rawMessage: `the deadline of 500 ms passed after response headers from ${server.address} had arrived`,
		});
		expect(await reset).toBe(8);
		await expect(stream.recv()).rejects.toBe(await error);
		await expect(stream.trailer).rejects.toBe(await error);
	});
});

describe("the time that is left", () => {
	test("is what grpc-timeout says when the request is sent, not what the call began with", async () => {
		const server = await noting();
		const resolved = Promise.withResolvers<void>();
		const slow: Resolver = {
			async *watch() {
				await resolved.promise;
				yield { endpoints: [{ address: server.address }] };
			},
		};
		const { client, clock } = echoInTime(slow);
		const call = client.echo({}, { timeoutMs: 1000 });
		await clock.advance(300);
		resolved.resolve();
		await call;
		expect(server.timeouts).toEqual(["700000u"]);
	});

	test("never is more than the call has", async () => {
		const server = await noting();
		await using client = NewEchoServiceClient(server.address);
		for (const timeoutMs of [50, 3000, 3_600_000]) {
			await client.echo({}, { timeoutMs });
			const [, digits, unit] =
				server.timeouts.at(-1)?.match(/^(\d+)(.)$/) ?? [];
			const size = { n: 1e-6, u: 1e-3, m: 1, S: 1e3 }[unit as "m"];
			expect(Number(digits) * size).toBeLessThanOrEqual(timeoutMs);
			expect(Number(digits) * size).toBeGreaterThan(0);
		}
	});

	test("if it is none, nothing is sent, though the timer is late", async () => {
		const server = await noting();
		class LateClock extends FakeClock {
			late = 0;
			override now(): number {
				return super.now() + this.late;
			}
		}
		const clock = new LateClock();
		const resolved = Promise.withResolvers<void>();
		const slow: Resolver = {
			async *watch() {
				await resolved.promise;
				yield { endpoints: [{ address: server.address }] };
			},
		};
		const { client, core } = clientInTime<EchoServiceClient>(
			EchoService,
			slow,
			{},
			clock,
		);
		const error = errorOf(client.echo({}, { timeoutMs: 500 }));
		resolved.resolve();
		const connected = server.connection();
		// The event loop was busy for so long.
		clock.late = 600;
		await connected;
		await core.connect(undefined);
		await settled();
		await clock.advance(500);
		expect((await error).code).toBe(Code.DeadlineExceeded);
		await client.echo({}, { timeoutMs: 7 });
		expect(server.timeouts).toEqual(["7000000n"]);
		await core.close(0);
	});

	test("if it is none from the beginning, nothing is sent", async () => {
		const server = await noting();
		await using client = NewEchoServiceClient(server.address);
		await client.echo({});
		const parent = contextWith({ remainingMs: -5 });
		const error = await errorOf(client.echo({}, { parent }));
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(error.rawMessage).toContain("before the call was sent");
		await client.echo({});
		expect(server.timeouts).toHaveLength(2);
	});
});

/** The context of a handler of another server. */
function contextWith({
	remainingMs,
	signal = new AbortController().signal,
}: {
	remainingMs?: number;
	signal?: AbortSignal;
}): NonNullable<
	Exclude<Parameters<EchoServiceClient["echo"]>[1], undefined>["parent"]
> & { signal: AbortSignal } {
	return { signal, timeoutMs: () => remainingMs } as never;
}

describe("a timeout", () => {
	test.each<
		[string, ClientOptions, { timeoutMs?: number } | undefined, string]
	>([
		["10 s is built in", {}, undefined, "10000000u"],
		["the client's", { timeout: "3s" }, undefined, "3000000u"],
		[
			"the method's, before the client's",
			{ timeout: "3s", methods: { echo: { timeout: "4s" } } },
			undefined,
			"4000000u",
		],
		[
			"the call's, before all, also to lengthen",
			{ timeout: "3s", methods: { echo: { timeout: "4s" } } },
			{ timeoutMs: 60_000 },
			"60000000u",
		],
		[
			"the service config's, where nobody nearer sets one",
			{
				serviceConfig: {
					methodConfig: [
						{ name: [{ service: "echo.EchoService" }], timeout: "5s" },
					],
				},
			},
			undefined,
			"5000000u",
		],
		["0 for the client is none", { timeout: 0 }, undefined, ""],
		[
			"0 for the method is none",
			{ methods: { echo: { timeout: "0s" } } },
			undefined,
			"",
		],
		["0 for the call is none", { timeout: "3s" }, { timeoutMs: 0 }, ""],
		["less than 0 is none, as in Connect", {}, { timeoutMs: -1 }, ""],
	])("%s", async (_, options, callOptions, sent) => {
		const server = await noting();
		const { client } = echoInTime(server.address, options);
		await client.echo({}, callOptions);
		expect(server.timeouts).toEqual([sent]);
	});

	test("of all methods is not for streams", async () => {
		const server = await noting();
		const { client } = ordersInTime(server.address, { timeout: "3s" });
		for await (const _ of client.searchOrders({}));
		for await (const _ of client.searchOrders({}, { timeoutMs: 2000 }));
		expect(server.timeouts).toEqual(["", "2000000u"]);
	});
});

describe("an AbortSignal", () => {
	test("cancels the call, with its reason as the cause, and resets the stream", async () => {
		const server = await noting(silence);
		await using client = NewEchoServiceClient(server.address);
		const abort = new AbortController();
		const request = server.request();
		const reset = server.reset();
		const error = errorOf(client.echo({}, { signal: abort.signal }));
		await request;
		const reason = new Error("the user left");
		abort.abort(reason);
		expect(await error).toMatchObject({
			code: Code.Canceled,
			rawMessage: "the call was cancelled: the user left",
			cause: reason,
		});
		expect(await reset).toBe(8);
	});

	test("that has fired lets nothing be sent", async () => {
		const server = await noting();
		await using client = NewEchoServiceClient(server.address);
		await client.echo({});
		const error = await errorOf(
			client.echo({}, { signal: AbortSignal.abort("early") }),
		);
		expect(error).toMatchObject({ code: Code.Canceled, cause: "early" });
		await client.echo({});
		expect(server.timeouts).toHaveLength(2);
	});

	test("cancels a call that still waits for a connection", async () => {
		const abort = new AbortController();
		const { client, core } = echoInTime(await silentPort());
		const error = errorOf(client.echo({}, { signal: abort.signal }));
		await settled();
		expect(core.snapshot()).toMatchObject({
			callsInFlight: 1,
			callsWaiting: 1,
		});
		abort.abort();
		expect((await error).code).toBe(Code.Canceled);
		expect(core.snapshot()).toMatchObject({
			callsInFlight: 0,
			callsWaiting: 0,
		});
	});

	test("of AbortSignal.timeout is a deadline", async () => {
		const server = await noting(silence);
		await using client = NewEchoServiceClient(server.address);
		const signal = AbortSignal.timeout(50);
		const error = await errorOf(client.echo({}, { signal }));
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(error.cause).toBe(signal.reason);
	});

	test("is not listened to once the call is over", async () => {
		const server = await noting();
		await using client = NewEchoServiceClient(server.address);
		const { signal } = new AbortController();
		for (let i = 0; i < 3; i++) await client.echo({}, { signal });
		expect(getEventListeners(signal, "abort")).toEqual([]);
	});
});

describe("a parent", () => {
	test("shortens the deadline, never lengthens it", async () => {
		const server = await noting();
		await using client = NewEchoServiceClient(server.address);
		await client.echo({}, { parent: contextWith({ remainingMs: 500 }) });
		await client.echo({}, { parent: contextWith({ remainingMs: 3_600_000 }) });
		await client.echo({}, { parent: contextWith({}), timeoutMs: 0 });
		const [short, long, none] = server.timeouts;
		expect(Number(short?.slice(0, -1))).toBeLessThanOrEqual(500_000);
		expect(Number(short?.slice(0, -1))).toBeGreaterThan(300_000);
		expect(long).toMatch(/^(10000000|99\d{5})u$/);
		expect(none).toBe("");
	});

	test("whose deadline passes is named", async () => {
		const server = await noting(silence);
		await using client = NewEchoServiceClient(server.address);
		const parent = contextWith({ remainingMs: 50 });
		const error = await errorOf(client.echo({}, { parent }));
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(error.rawMessage).toMatch(
			/^the inherited deadline of 50 ms passed while waiting for an answer from /,
		);
	});

	test("that is cancelled cancels the call", async () => {
		const server = await noting(silence);
		await using client = NewEchoServiceClient(server.address);
		const abort = new AbortController();
		const request = server.request();
		const parent = contextWith({ signal: abort.signal });
		const error = errorOf(client.echo({}, { parent }));
		await request;
		const reason = new Error("the client hung up");
		abort.abort(reason);
		expect(await error).toMatchObject({
			code: Code.Canceled,
			rawMessage:
				"the call that it was made for was cancelled: the client hung up",
			cause: reason,
		});
	});

	test("that was cancelled before lets nothing be sent", async () => {
		const server = await noting();
		await using client = NewEchoServiceClient(server.address);
		const parent = contextWith({ signal: AbortSignal.abort() });
		expect((await errorOf(client.echo({}, { parent }))).code).toBe(
			Code.Canceled,
		);
		await client.echo({});
		expect(server.timeouts).toHaveLength(1);
	});

	test("is not listened to once the call is over", async () => {
		const server = await noting();
		await using client = NewEchoServiceClient(server.address);
		const parent = contextWith({});
		await client.echo({}, { parent });
		expect(getEventListeners(parent.signal, "abort")).toEqual([]);
	});
});
