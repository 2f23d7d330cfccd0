import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { serveRoutes } from "../../testdata/harness/http2-server.ts";
import { EchoService } from "../../testdata/services/gen/echo/echo_pb.ts";
import { NewEchoServiceClient } from "../../testdata/services/gen/echo/echo_rpc.ts";
import { Channel } from "./channel.ts";
import type { ChannelOptions } from "./options/channel-options.ts";

const echoServer = () =>
	serveRoutes((router) =>
		router.service(EchoService, { echo: ({ mes }) => ({ resp: mes }) }),
	);

test("a channel is idle until it is used", async () => {
	await using server = await echoServer();
	await using channel = new Channel(server.address);
	expect(channel.state).toBe("idle");
	await channel.connect();
	expect(channel.state).toBe("ready");
	expect(server.accepted).toBe(1);
});

test("a channel calls its listeners with each new state", async () => {
	await using server = await echoServer();
	const states: string[] = [];
	{
		await using channel = new Channel(server.address);
		const stop = channel.onStateChange((state) => states.push(state));
		await channel.connect();
		stop();
		await channel.close();
		expect(channel.state).toBe("shutdown");
	}
	expect(states).toEqual(["connecting", "ready"]);
});

test("connect rejects with the last error when its signal fires, and removes its listener from the signal", async () => {
	await using server = await echoServer();
	await using reachable = new Channel(server.address);
	const { signal } = new AbortController();
	await reachable.connect(signal);
	expect(getEventListeners(signal, "abort")).toEqual([]);

	await using channel = new Channel("127.0.0.1:1");
	await expect(channel.connect(AbortSignal.timeout(100))).rejects.toThrow(
		"connect ECONNREFUSED 127.0.0.1:1",
	);
	expect(channel.state).toBe("transientFailure");
});

describe("bad arguments throw at once:", () => {
	const options = "options: ";
	test.each<[unknown, string]>([
		[null, `${options}null is not an object`],
		[5, `${options}5 is not an object`],
		["", `${options}"" is not an object`],
		[[], `${options}an empty list is not an object`],
		[() => {}, `${options}a function is not an object`],
		[Promise.resolve({}), `${options}is a promise; await it`],
	])("options: %s", (given, problem) => {
		expect(() => new Channel("127.0.0.1:1", given as object)).toThrow(problem);
	});

	test("a listener that is no function, and a signal that is no AbortSignal", async () => {
		await using channel = new Channel("127.0.0.1:1");
		expect(() => channel.onStateChange({} as never)).toThrow(
			"listener: an object is not a function",
		);
		await expect(channel.connect({} as never)).rejects.toThrow(
			"signal: an object is not an AbortSignal",
		);
		expect(channel.state).toBe("idle");
	});
});

describe("closing", () => {
	test("returns the same promise every time, also by Symbol.asyncDispose", async () => {
		const channel = new Channel("127.0.0.1:1");
		const closed = channel.close({ graceMs: 10 });
		expect(channel.close()).toBe(closed);
		expect(channel[Symbol.asyncDispose]()).toBe(closed);
		await closed;
	});

	test.each<[object, string]>([
		[{ graceMs: -1 }, "graceMs: -1"],
		[{ graceMs: 1.5 }, "graceMs: 1.5"],
		[{ graceMs: "1s" }, "graceMs: "],
		[{ graceMS: 5 }, "graceMS: is not an option; did you mean graceMs?"],
	])("refuses %j, and does not close", async (options, message) => {
		const channel = new Channel("127.0.0.1:1");
		expect(() => channel.close(options)).toThrow(TypeError);
		expect(() => channel.close(options)).toThrow(message);
		expect(channel.state).toBe("idle");
		await channel.close();
	});

	test("makes clients over the channel fail", async () => {
		await using server = await echoServer();
		const channel = new Channel(server.address);
		const client = NewEchoServiceClient(channel);
		await client.echo({});
		await channel.close();
		await expect(client.echo({})).rejects.toThrow(
			"[unavailable] the channel has been closed",
		);
	});
});

test("closing a channel cancels its calls in flight, here and at the server", async () => {
	const left = Promise.withResolvers<void>();
	const arrived = Promise.withResolvers<void>();
	await using server = await serveRoutes((router) =>
		router.service(EchoService, {
			echo: async (_request, { signal }) => {
				signal.addEventListener("abort", () => left.resolve());
				arrived.resolve();
				await left.promise;
				return {};
			},
		}),
	);
	const channel = new Channel(server.address);
	const call = NewEchoServiceClient(channel).echo({});
	call.catch(() => {});
	await arrived.promise;
	await channel.close();
	await expect(call).rejects.toThrow("[canceled] the channel has been closed");
	await left.promise;
});

test.each<[unknown, string]>([
	[{ interceptors: 5 }, "interceptors: "],
	[{ interceptors: [{}] }, "interceptors[0]: "],
	[{ timeout: "5s" }, "timeout: is not an option"],
	[{ tls: 1 }, "tls: "],
])("refuses %j, naming the option", (options, message) => {
	const make = () => new Channel("h:1", options as ChannelOptions);
	expect(make).toThrow(TypeError);
	expect(make).toThrow(message);
});

test("a channel can be logged", async () => {
	await using channel = new Channel("127.0.0.1:1");
	expect(channel.snapshot()).toEqual({
		target: "127.0.0.1:1",
		state: "idle",
		callsInFlight: 0,
		callsWaiting: 0,
		callsQueued: 0,
		retryTokens: 100,
		retryBufferBytes: 0,
		inflations: { underWay: 0, bytes: 0, waiting: 0 },
		deflations: { underWay: 0, bytes: 0, waiting: 0 },
		endpoints: [],
		lastError: undefined,
	});
});
