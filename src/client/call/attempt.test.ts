import { once } from "node:events";
import net from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { clientInTime } from "../../../testdata/harness/client-in-time.ts";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import {
	answer,
	type RunningServer,
	type ServerInit,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { serving } from "../../../testdata/harness/serving.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { NewOrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import type { BalancerFactory, Pick } from "../../balancer/balancer.ts";
import type { Resolution, Resolver } from "../../discovery/resolver.ts";
import { staticResolver } from "../../discovery/static.ts";
import { MAX_HEADER_BYTES } from "../../wire/metadata.ts";
import type { ClientOptions } from "../options/client-options.ts";
import type { CallInfo } from "../options/hooks.ts";

/** A server that answers, and the headers of each request as they came. */
async function noting(
	init?: ServerInit,
): Promise<RunningServer & { seen: string[][] }> {
	const seen: string[][] = [];
	const server = await serveStreams((stream, _headers, raw) => {
		seen.push([...raw]);
		answer(stream);
	}, init);
	return Object.assign(server, { seen });
}

async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
	const error = await call.then(
		() => new Error("the call went well"),
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(ConnectError);
	return error as ConnectError;
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
	const server = net.createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as net.AddressInfo;
	server.close();
	await once(server, "close");
	return port;
}

describe("the headers of a request", () => {
	test("are gRPC's, in its order, and then the metadata", async () => {
		await using server = await noting();
		await using client = NewEchoServiceClient(server.address, {
			authority: "shop.example",
		});
		await client.echo(
			{},
			{
				timeoutMs: 0,
				headers: [
					["X-Ascii", "one"],
					["x-ascii", "two"],
					["x-data-bin", "YQ=="],
					["x-data-bin", "YWI"],
				],
			},
		);
		expect(server.seen[0]).toEqual(
			[
				[":method", "POST"],
				[":scheme", "http"],
				[":path", "/echo.EchoService/Echo"],
				[":authority", "shop.example"],
				["te", "trailers"],
				["content-type", "application/grpc"],
				["user-agent", expect.stringMatching(/^homing\/\d/)],
				["grpc-accept-encoding", "gzip,identity"],
				["x-ascii", "one, two"],
				["x-data-bin", "YQ"],
				["x-data-bin", "YWI"],
			].flat(),
		);
	});

	test("have a grpc-encoding where requests may be compressed, and none otherwise", async () => {
		await using server = await noting();
		await using plain = NewEchoServiceClient(server.address);
		await using gzip = NewEchoServiceClient(server.address, {
			compression: "gzip",
		});
		await plain.echo({});
		await gzip.echo({});
		expect(server.seen[0]).not.toContain("grpc-encoding");
		const at = server.seen[1]?.indexOf("grpc-encoding") ?? 0;
		expect(server.seen[1]?.[at + 1]).toBe("gzip");
	});

	test("of one call are not those of the next", async () => {
		await using server = await noting();
		await using client = NewEchoServiceClient(server.address);
		await client.echo({}, { headers: { "x-once": "1" } });
		await client.echo({});
		expect(server.seen[0]).toContain("x-once");
		expect(server.seen[1]).not.toContain("x-once");
	});

	test("that are too many are refused before they are sent, and harm no other call", async () => {
		await using server = await noting();
		await using client = NewEchoServiceClient(server.address);
		await client.echo({}, { headers: { "x-large": "x".repeat(60_000) } });
		const error = await errorOf(
			client.echo({}, { headers: { "x-large": "x".repeat(MAX_HEADER_BYTES) } }),
		);
		expect(error.code).toBe(Code.ResourceExhausted);
		expect(error.rawMessage).toMatch(
			/^the call cannot be sent: its headers take \d+ bytes, and the limit is 131072/,
		);
		await client.echo({});
		expect(server.seen).toHaveLength(2);
	});

	test("that are more than the server takes are refused here, with both numbers, and harm no other call", async () => {
		await using server = await noting({
			settings: { maxHeaderListSize: 5000 },
		});
		await using client = NewEchoServiceClient(server.address);
		await client.echo({}, { headers: { "x-large": "x".repeat(4000) } });
		const error = await errorOf(
			client.echo({}, { headers: { "x-large": "x".repeat(5000) } }),
		);
		expect(error.code).toBe(Code.ResourceExhausted);
		expect(error.rawMessage).toMatch(
			/^the call cannot be sent: its headers take 5\d\d\d bytes, and 127\S+ takes 5000: send less metadata/,
		);
		await client.echo({});
		expect(server.seen).toHaveLength(2);
	});

	test("may be as many as there is room for, both ways", async () => {
		const entries = Array.from({ length: 1000 }, (_, i) => [`x-${i}`, `${i}`]);
		await using served = await serving(
			{
				getOrder(_, { requestHeader, responseHeader, responseTrailer }) {
					for (const [name = ""] of entries) {
						const value = requestHeader.get(name) ?? "";
						responseHeader.set(name, value);
						responseTrailer.set(name, value);
					}
					return {};
				},
			},
			{ maxMetadataBytes: 128 * 1024 },
		);
		await using client = NewOrderManagementClient(served.address);
		const seen: Headers[] = [];
		await client.getOrder(
			{ value: "1" },
			{
				headers: entries as [string, string][],
				onHeader: (header) => seen.push(header),
				onTrailer: (trailer) => seen.push(trailer),
			},
		);
		expect(seen).toHaveLength(2);
		for (const headers of seen) {
			for (const [name = "", value] of entries) {
				expect(headers.get(name)).toBe(value);
			}
		}
	});

	test("that ASCII metadata cannot hold are refused by name, and harm no other call", async () => {
		await using server = await noting();
		await using client = NewEchoServiceClient(server.address);
		const error = await errorOf(
			client.echo({}, { headers: { "x-name": "caf\u00e9" } }),
		);
		expect(error.code).toBe(Code.Internal);
		expect(error.rawMessage).toContain('the value of "x-name"');
		await client.echo({});
		expect(server.seen).toHaveLength(1);
	});
});

describe("credentials", () => {
	const insecureCredentials = true;

	test("are asked for each call, and go along behind its metadata", async () => {
		await using server = await noting();
		const asked: CallInfo[] = [];
		await using client = NewEchoServiceClient(server.address, {
			insecureCredentials,
			credentials: (call) => {
				asked.push(call);
				return { Authorization: `Bearer ${asked.length}`, "x-k-bin": "YQ==" };
			},
		});
		await client.echo({}, { headers: { "x-a": "1" } });
		await client.echo({});
		expect(server.seen[0]?.slice(-6)).toEqual([
			"x-a",
			"1",
			"authorization",
			"Bearer 1",
			"x-k-bin",
			"YQ",
		]);
		expect(server.seen[1]).toContain("Bearer 2");
		expect(asked[0]).toMatchObject({
			service: "echo.EchoService",
			method: "Echo",
		});
		expect(asked[0]?.header.get("x-a")).toBe("1");
	});

	test("may take their time, within the deadline", async () => {
		await using server = await noting();
		await using client = NewEchoServiceClient(server.address, {
			insecureCredentials,
			credentials: async () => {
				await new Promise((resolve) => setTimeout(resolve, 30));
				return [["authorization", "Bearer late"]];
			},
		});
		await client.echo({});
		expect(server.seen[0]).toContain("Bearer late");
	});

	test("do not go before what the call itself says", async () => {
		await using server = await noting();
		await using client = NewEchoServiceClient(server.address, {
			insecureCredentials,
			credentials: () => ({ authorization: "Bearer channel", "x-b": "2" }),
		});
		await client.echo({}, { headers: { Authorization: "Bearer call" } });
		expect(server.seen[0]).toContain("Bearer call");
		expect(server.seen[0]).toContain("x-b");
		expect(server.seen[0]).not.toContain("Bearer channel");
	});

	test.each<[string, () => never]>([
		[
			"throw",
			() => {
				throw new Error("the vault is shut");
			},
		],
		[
			"reject",
			(async () => {
				throw new Error("the vault is shut");
			}) as () => never,
		],
	])(
		"that %s fail the call with UNAUTHENTICATED, and their cause",
		async (_, credentials) => {
			await using server = await noting();
			await using client = NewEchoServiceClient(server.address, {
				insecureCredentials,
				credentials,
			});
			expect(await errorOf(client.echo({}))).toMatchObject({
				code: Code.Unauthenticated,
				rawMessage: "no credentials for the call: the vault is shut",
				cause: new Error("the vault is shut"),
			});
			expect(server.seen).toEqual([]);
		},
	);

	test("that throw a ConnectError fail the call with its code", async () => {
		await using client = NewEchoServiceClient("127.0.0.1:1", {
			insecureCredentials,
			credentials: () => {
				throw new ConnectError("slow down", Code.ResourceExhausted);
			},
		});
		expect((await errorOf(client.echo({}))).code).toBe(Code.ResourceExhausted);
	});

	test.each([{ "bad name": "x" }, { a: "line\nline" }, 5])(
		"that are no headers (%j) fail the call",
		async (given) => {
			await using client = NewEchoServiceClient("127.0.0.1:1", {
				insecureCredentials,
				credentials: () => given as unknown as HeadersInit,
			});
			const error = await errorOf(client.echo({}));
			expect(error.code).toBe(Code.Unauthenticated);
			expect(error.rawMessage).toMatch(/^no credentials for the call: ./);
		},
	);

	test("that come after the call was cancelled send nothing", async () => {
		await using server = await noting();
		const given = Promise.withResolvers<HeadersInit>();
		await using client = NewEchoServiceClient(server.address, {
			insecureCredentials,
			credentials: ({ header }) =>
				header.has("x-wait") ? given.promise : Promise.resolve({}),
		});
		const abort = new AbortController();
		const call = client.echo(
			{},
			{ signal: abort.signal, headers: { "x-wait": "" } },
		);
		abort.abort();
		expect((await errorOf(call)).code).toBe(Code.Canceled);
		given.resolve({ "x-late": "1" });
		await client.echo({});
		expect(server.seen).toHaveLength(1);
		expect(server.seen[0]).not.toContain("x-late");
	});
});

describe("without a connection", () => {
	test("a call fails fast, with the last error and where it was tried", async () => {
		const port = await closedPort();
		await using client = NewEchoServiceClient(`127.0.0.1:${port}`);
		expect(await errorOf(client.echo({}))).toMatchObject({
			code: Code.Unavailable,
			rawMessage: `no connection to 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
		});
	});

	test("several addresses are all named, and if they are many, some", async () => {
		const port = await closedPort();
		const addresses = [1, 2, 3, 4, 5, 6, 7].map((n) => `127.0.0.${n}:${port}`);
		await using two = NewEchoServiceClient(`ipv4:${addresses.slice(0, 2)}`);
		expect((await errorOf(two.echo({}))).rawMessage).toMatch(
			new RegExp(
				`^no connection to ipv4:.* \\(tried 127.0.0.1:${port}, 127.0.0.2:${port}\\): connect ECONNREFUSED 127`,
			),
		);
		await using seven = NewEchoServiceClient(staticResolver(addresses));
		expect((await errorOf(seven.echo({}))).rawMessage).toContain(
			`127.0.0.5:${port} and 2 more)`,
		);
	});

	test("a call that came while connecting fails, too, once that has failed", async () => {
		const port = await closedPort();
		await using client = NewEchoServiceClient(`127.0.0.1:${port}`);
		const calls = [client.echo({}), client.echo({}), client.echo({})];
		for (const call of calls) {
			expect((await errorOf(call)).code).toBe(Code.Unavailable);
		}
	});

	test("a resolver's error is what the call fails with", async () => {
		const resolver: Resolver = {
			async *watch() {
				yield* [];
				throw new Error("no such service");
			},
		};
		await using client = NewEchoServiceClient(resolver);
		expect((await errorOf(client.echo({}))).rawMessage).toBe(
			"no connection to the resolver: no such service",
		);
	});

	test("a call with waitForReady waits, through failures, until there is one", async () => {
		const port = await closedPort();
		const { client, clock, core } = clientInTime<EchoServiceClient>(
			EchoService,
			`127.0.0.1:${port}`,
			{ waitForReady: true, timeout: "60s" },
		);
		const states: string[] = [];
		core.onStateChange((state) => states.push(state));
		const call = client.echo({});
		await reaches(() => states.includes("transientFailure"));
		await clock.advance(500);
		expect(core.snapshot()).toMatchObject({ callsWaiting: 1 });
		await using server = await serveStreams((stream) => answer(stream), {
			at: port,
		});
		await clock.advance(500);
		await call;
		expect(server.accepted).toBe(1);
		await core.close(0);
	});

	test("a call with waitForReady waits through errors of the resolver, too", async () => {
		await using server = await noting();
		let asked = 0;
		const failing: Resolver = {
			async *watch() {
				asked += 1;
				if (asked < 3) throw new Error("no such service");
				yield { endpoints: [{ address: server.address }] };
			},
		};
		const { client, clock, core } = clientInTime<EchoServiceClient>(
			EchoService,
			failing,
			{ waitForReady: true, timeout: "60s" },
		);
		const call = client.echo({});
		await reaches(() => core.state === "transientFailure");
		expect(core.snapshot()).toMatchObject({ callsWaiting: 1 });
		await clock.advance(1000);
		await clock.advance(1600);
		await call;
		expect(asked).toBe(3);
		await core.close(0);
	});

	test.each<[string, ClientOptions, object]>([
		["the call", {}, { waitForReady: true }],
		["the method", { methods: { echo: { waitForReady: true } } }, {}],
		["the client", { waitForReady: true }, {}],
	])("%s can ask for that", async (_, options, callOptions) => {
		const { client, core, clock } = clientInTime<EchoServiceClient>(
			EchoService,
			"127.0.0.1:1",
			options,
		);
		const call = client.echo({}, callOptions);
		await reaches(() => core.state === "transientFailure");
		expect(core.snapshot()).toMatchObject({ callsWaiting: 1 });
		const error = errorOf(call);
		await clock.advance(10_000);
		expect((await error).code).toBe(Code.DeadlineExceeded);
		await core.close(0);
	});

	test("the call's own word is nearer than the client's", async () => {
		await using client = NewEchoServiceClient("127.0.0.1:1", {
			waitForReady: true,
		});
		const call = client.echo({}, { waitForReady: false });
		expect((await errorOf(call)).code).toBe(Code.Unavailable);
	});
});

async function reaches(condition: () => boolean): Promise<void> {
	while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe("a config that the resolver brings", () => {
	const configured = (server: RunningServer, policy: object): Resolution => ({
		endpoints: [{ address: server.address }],
		serviceConfig: { methodConfig: [{ name: [{}], ...policy }] },
	});

	function resolving(resolution: () => Resolution): Resolver {
		return {
			async *watch() {
				await settled();
				yield resolution();
			},
		};
	}

	test("counts for the very first call: its timeout, from the call's beginning", async () => {
		await using server = await noting();
		const { client, core } = clientInTime<EchoServiceClient>(
			EchoService,
			resolving(() => configured(server, { timeout: "2s" })),
		);
		await client.echo({});
		await client.echo({});
		for (const seen of server.seen) expect(seen).toContain("2000000u");
		await core.close(0);
	});

	test("counts for the very first call: waitForReady", async () => {
		const resolver = resolving(() => ({
			endpoints: [{ address: "127.0.0.1:1" }],
			serviceConfig: { methodConfig: [{ name: [{}], waitForReady: true }] },
		}));
		const { client, core, clock } = clientInTime<EchoServiceClient>(
			EchoService,
			resolver,
		);
		const error = errorOf(client.echo({}));
		await reaches(() => core.state === "transientFailure");
		await clock.advance(10_000);
		expect((await error).code).toBe(Code.DeadlineExceeded);
		await core.close(0);
	});

	test("counts for the very first call: the size of its request", async () => {
		await using server = await noting();
		await using client = NewEchoServiceClient(
			resolving(() => configured(server, { maxRequestMessageBytes: 5 })),
		);
		const error = await errorOf(client.echo({ mes: "123456" }));
		expect(error.code).toBe(Code.ResourceExhausted);
		expect(error.rawMessage).toContain("maxRequestMessageBytes");
		await client.echo({ mes: "123" });
		expect(server.seen).toHaveLength(1);
	});

	test("counts for the very first call: the size of its response", async () => {
		await using server = await serveStreams((stream) =>
			answer(stream, "123456"),
		);
		await using client = NewEchoServiceClient(
			resolving(() => configured(server, { maxResponseMessageBytes: 5 })),
		);
		const error = await errorOf(client.echo({}));
		expect(error.code).toBe(Code.ResourceExhausted);
	});

	test("does not lengthen what the call says itself", async () => {
		await using server = await noting();
		const { client, core } = clientInTime<EchoServiceClient>(
			EchoService,
			resolving(() => configured(server, { timeout: "2s" })),
		);
		await client.echo({}, { timeoutMs: 1000 });
		expect(server.seen[0]).toContain("1000000u");
		await core.close(0);
	});
});

describe("a picker", () => {
	const pickingOnly = (pick: () => Pick): BalancerFactory => {
		return (helper) => ({
			update: () => helper.publish("ready", { pick }),
			exitIdle: () => {},
			close: () => {},
		});
	};

	test.each(["fail", "drop"] as const)("can %s a call", async (kind) => {
		await using client = NewEchoServiceClient("127.0.0.1:1", {
			balancer: pickingOnly(() => ({ kind, error: new Error("overloaded") })),
		});
		const error = await errorOf(client.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toContain("overloaded");
	});

	test("drops a call though it would wait", async () => {
		await using client = NewEchoServiceClient("127.0.0.1:1", {
			waitForReady: true,
			balancer: pickingOnly(() => ({
				kind: "drop",
				error: new ConnectError("overloaded", Code.ResourceExhausted),
			})),
		});
		expect((await errorOf(client.echo({}))).code).toBe(Code.ResourceExhausted);
	});

	test("is told when a call starts, and how it ended", async () => {
		let fail = false;
		await using server = await serveStreams((stream) =>
			answer(stream, "", { "grpc-status": fail ? 9 : 0 }),
		);
		const told: unknown[] = [];
		await using client = NewEchoServiceClient(server.address, {
			balancer: (helper) => {
				const made = new Set<{ shutdown(): void }>();
				return {
					update: ([endpoint]) => {
						const subchannel = helper.createSubchannel(
							endpoint as { address: string },
							(state) => {
								if (state !== "ready") return;
								const pick: Pick = {
									kind: "subchannel",
									subchannel,
									started: () => told.push("started"),
									ended: (outcome) => told.push(outcome),
								};
								helper.publish("ready", { pick: () => pick });
							},
						);
						made.add(subchannel);
						subchannel.connect();
					},
					exitIdle: () => {},
					close: () => {
						for (const one of made) one.shutdown();
					},
				};
			},
		});
		await client.echo({});
		fail = true;
		await errorOf(client.echo({}));
		const latencyMs = expect.any(Number);
		expect(told).toEqual([
			"started",
			{ code: undefined, latencyMs, sent: true },
			"started",
			{ code: Code.FailedPrecondition, latencyMs, sent: true },
		]);
	});

	test("knows method, metadata and hash key of the call", async () => {
		const seen: unknown[] = [];
		await using client = NewEchoServiceClient("127.0.0.1:1", {
			balancer: (helper) => ({
				update: () =>
					helper.publish("ready", {
						pick: ({ method, header, hashKey, tried }) => {
							seen.push(method, header.get("x-a"), hashKey, tried.size);
							return { kind: "drop", error: new Error("seen") };
						},
					}),
				exitIdle: () => {},
				close: () => {},
			}),
		});
		await errorOf(client.echo({}, { hashKey: "k", headers: { "x-a": "1" } }));
		expect(seen).toEqual([EchoService.method.echo, "1", "k", 0]);
	});
});
