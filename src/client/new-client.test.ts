import { createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { serveRoutes } from "../../testdata/harness/http2-server.ts";
import { EchoService } from "../../testdata/services/gen/echo/echo_pb.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../testdata/services/gen/echo/echo_rpc.ts";
import { OrderManagement } from "../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { staticResolver } from "../discovery/static.ts";
import type { ServiceConfig } from "../policy/service-config.ts";
import { Channel } from "./channel.ts";
import { channelOf, closeClient } from "./client-object.ts";
import { newClient, type Target } from "./new-client.ts";
import type { ClientOptions } from "./options/client-options.ts";

const echoServer = (resp = "echo") =>
	serveRoutes((router) =>
		router.service(EchoService, { echo: ({ mes }) => ({ resp: resp + mes }) }),
	);

describe("a client with a string target", () => {
	test("makes calls over its own channel, and closes the channel when it is disposed", async () => {
		await using server = await echoServer();
		let channel: Channel | undefined;
		{
			await using client = NewEchoServiceClient(server.address);
			channel = channelOf(client);
			expect((await client.echo({ mes: "!" })).resp).toBe("echo!");
			expect(channel?.state).toBe("ready");
		}
		expect(channel?.state).toBe("shutdown");
	});

	test("does no I/O before its first call", async () => {
		await using server = await echoServer();
		await using client = NewEchoServiceClient(server.address);
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(server.accepted).toBe(0);
		expect(channelOf(client)?.state).toBe("idle");
	});

	test("can be closed by closeClient more than once", async () => {
		const client = NewEchoServiceClient("127.0.0.1:1");
		const closed = closeClient(client);
		expect(closeClient(client)).toBe(closed);
		await closed;
		await expect(client.echo({})).rejects.toThrow(
			'[unavailable] the channel has been closed before this call was made, by closeClient, close or the end of an "await using"; make a new client, or close this one later',
		);
	});
});

test("a client of a Resolver also owns its channel", async () => {
	await using server = await echoServer();
	const client = NewEchoServiceClient(staticResolver([server.address]));
	expect((await client.echo({ mes: "!" })).resp).toBe("echo!");
	await closeClient(client);
	expect(channelOf(client)?.state).toBe("shutdown");
});

describe("a client over a Channel", () => {
	test("shares its connection with other clients, and leaves it open when it is closed", async () => {
		await using server = await echoServer();
		await using channel = new Channel(server.address);
		const clients = [1, 2, 3].map(() => NewEchoServiceClient(channel));
		await Promise.all(clients.map((client) => client.echo({})));
		for (const client of clients) {
			expect(channelOf(client)).toBe(channel);
			await closeClient(client);
		}
		expect(channel.state).toBe("ready");
		expect(server.accepted).toBe(1);
		expect((await clients[0]?.echo({ mes: "?" }))?.resp).toBe("echo?");
	});

	test.each<[ClientOptions]>([
		[{ tls: true }],
		[{ authority: "x" }],
		[{ credentials: () => ({}), insecureCredentials: true }],
		[{ insecureCredentials: false }],
		[{ serviceConfig: {} }],
		[{ balancer: "pick_first" }],
		[{ connectTimeout: "1s" }],
		[{ idleTimeout: "1s" }],
		[{ compression: "gzip" }],
		[{ hooks: {} }],
		[{ userAgent: "x" }],
		[{ resolvers: {} }],
	])("refuses the channel's option in %j, naming it", (options) => {
		const [key] = Object.keys(options);
		const borrowed = {
			Channel: new Channel("127.0.0.1:1"),
			Transport: createRouterTransport(() => {}),
		};
		for (const [what, target] of Object.entries(borrowed)) {
			expect(() => NewEchoServiceClient(target, options)).toThrow(TypeError);
			expect(() => NewEchoServiceClient(target, options)).toThrow(
				`${key}: is an option of the channel, and this client borrows a ${what}`,
			);
		}
	});

	test("has its own policies and interceptors", () => {
		const channel = new Channel("127.0.0.1:1");
		expect(() =>
			NewEchoServiceClient(channel, {
				timeout: "1s",
				waitForReady: true,
				retryPolicy: false,
				maxRequestMessageBytes: 1,
				maxResponseMessageBytes: 1,
				methods: { echo: { timeout: 0 } },
				interceptors: [],
				tls: undefined,
			}),
		).not.toThrow();
	});
});

test("a client over another Transport makes its calls over it, and has no Channel", async () => {
	const transport = createRouterTransport((router) =>
		router.service(EchoService, { echo: ({ mes }) => ({ resp: mes }) }),
	);
	const client = NewEchoServiceClient(transport);
	expect((await client.echo({ mes: "x" })).resp).toBe("x");
	expect(channelOf(client)).toBeUndefined();
	await closeClient(client);
	expect((await client.echo({ mes: "y" })).resp).toBe("y");
});

describe("the service config and target from the plugin", () => {
	const bakedClient = (
		target: Target | undefined,
		baked: ServiceConfig & { target?: string },
		options?: ClientOptions,
	) => newClient<EchoServiceClient>(EchoService, target, options, baked);

	test("provide the target if none is given", async () => {
		await using one = await echoServer("one");
		await using other = await echoServer("other");
		await using client = bakedClient(undefined, { target: one.address });
		expect((await client.echo({})).resp).toBe("one");
		await using given = bakedClient(other.address, { target: one.address });
		expect((await given.echo({})).resp).toBe("other");
	});

	test("are required for a client without a target", () => {
		expect(() => bakedClient(undefined, {})).toThrow(
			"target: is missing, and the proto gives echo.EchoService none",
		);
	});

	test("are checked", () => {
		const bad = { methodConfig: [{ name: [{ method: "X" }] }] };
		expect(() => bakedClient("h:1", bad)).toThrow(
			"baked.methodConfig[0].name[0].method",
		);
		expect(() => bakedClient(undefined, { target: "x://" })).toThrow("x://");
	});
});

describe("a bad option throws when the client is made, and is named:", () => {
	test.each<[unknown, string]>([
		[{ timeot: 1 }, "timeot: is not an option; did you mean timeout?"],
		[{ timeout: "2 seconds" }, "timeout: "],
		[{ timeout: -1 }, "timeout: "],
		[{ waitForReady: 1 }, "waitForReady: "],
		[{ retryPolicy: { maxAttempts: 1 } }, "retryPolicy.maxAttempts: "],
		[{ retryPolicy: true }, "retryPolicy: "],
		[{ hedgingPolicy: { maxAttempts: "x" } }, "hedgingPolicy.maxAttempts: "],
		[{ maxRequestMessageBytes: -1 }, "maxRequestMessageBytes: "],
		[{ maxResponseMessageBytes: 1.5 }, "maxResponseMessageBytes: "],
		[{ interceptors: () => {} }, "interceptors: "],
		[{ interceptors: [5] }, "interceptors[0]: "],
		[{ methods: [] }, "methods: "],
		[
			{ methods: { ehco: {} } },
			"methods.ehco: is no method of echo.EchoService; did you mean echo?",
		],
		[{ methods: { Echo: {} } }, "did you mean echo?"],
		[
			{ methods: { other: {} } },
			"methods.other: is no method of echo.EchoService; it has echo",
		],
		[
			{ methods: { echo: { tls: true } } },
			"methods.echo.tls: is not an option",
		],
		[{ methods: { echo: { timeout: "x" } } }, "methods.echo.timeout: "],
		[{ methods: { echo: 5 } }, "methods.echo: "],
		[{ tls: 5 }, "tls: "],
		[{ keepalive: { time: "10" } }, "keepalive.time: "],
		[null, "options"],
		["h:1", "options"],
	])("%j", (options, message) => {
		const make = () => NewEchoServiceClient("h:1", options as ClientOptions);
		expect(make).toThrow(TypeError);
		expect(make).toThrow(message);
	});

	test("a method policy of undefined is ignored", () => {
		expect(() =>
			NewEchoServiceClient("h:1", { methods: { echo: undefined } }),
		).not.toThrow();
	});

	test("method policies use the names of the methods on the client", () => {
		expect(() =>
			newClient(OrderManagement, "h:1", {
				methods: { getOrder: { timeout: 1 } },
			}),
		).not.toThrow();
	});
});

describe("a balancer in the service config from the plugin", () => {
	const expectConnections = async (
		expected: number,
		options?: ClientOptions,
	): Promise<void> => {
		await using one = await echoServer();
		await using other = await echoServer();
		await using client = newClient<EchoServiceClient>(
			EchoService,
			staticResolver([one.address, other.address]),
			options,
			{ loadBalancingConfig: [{ pick_first: {} }] },
		);
		for (let i = 0; i < 4; i++) await client.echo({});
		await expect.poll(() => one.accepted + other.accepted).toBe(expected);
	};

	test("is used by default", async () => {
		await expectConnections(1);
	});

	test.each<ClientOptions>([
		{ balancer: "round_robin" },
		{ serviceConfig: { loadBalancingConfig: [{ round_robin: {} }] } },
	])("gives way to %o", async (options) => {
		await expectConnections(2, options);
	});
});
