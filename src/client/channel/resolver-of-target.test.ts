import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
	type ServerInit,
	serveRoutes,
} from "../../../testdata/harness/http2-server.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import { NewEchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { memoryRegistry } from "../../discovery/memory.ts";
import { poll } from "../../discovery/poll.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import { staticResolver } from "../../discovery/static.ts";
import type { ParsedTarget } from "../../discovery/targets/parsed-target.ts";
import { parseTarget } from "../../discovery/targets/target.ts";
import { channelOf } from "../client-object.ts";
import type { ClientOptions } from "../options/client-options.ts";
import { loadedLate, resolverOfTarget } from "./resolver-of-target.ts";

function resolverOf(target: string): unknown {
	const { source } = parseTarget(target, []);
	if (source === undefined) throw new Error("no scheme of the core");
	return resolverOfTarget(source);
}

test.each([
	"localhost:50051",
	"dns:///localhost:50051",
	"dns://127.0.0.1:53/localhost:50051",
	"srv:///_grpc._tcp.example.com",
	"ipv4:127.0.0.1:1,127.0.0.1:2",
	"ipv6:[::1]:1",
	"unix:/run/x.sock",
	"unix-abstract:x",
	"http://localhost:1",
	"https://localhost",
	"file:///etc/endpoints.json",
	"memory:///payment",
	"consul://127.0.0.1/payment?dc=eu",
	"etcd:///services/payment",
	"etcd://127.0.0.1:2379,[::1]:2379/services/payment?config=configs/payment",
	"kubernetes:///payment.shop:grpc",
])("%s has a resolver", (target) => {
	expect(resolverOf(target)).toHaveProperty("watch", expect.any(Function));
});

describe("calls reach", () => {
	const directory = mkdtempSync(join(tmpdir(), "homing-targets-"));
	afterAll(() => rmSync(directory, { recursive: true }));

	/** A server that answers with its name. */
	const named = (resp: string, init?: ServerInit) =>
		serveRoutes(
			(router) => router.service(EchoService, { echo: () => ({ resp }) }),
			init,
		);

	/** Who answers calls to the target, in no order. */
	async function answering(
		target: string | Resolver,
		options?: ClientOptions,
	): Promise<string[]> {
		await using echo = NewEchoServiceClient(target, options);
		await channelOf(echo)?.connect(AbortSignal.timeout(5000));
		const names = new Set<string>();
		for (let i = 0; i < 20; i++) names.add((await echo.echo({})).resp);
		return [...names].sort();
	}

	test.each([
		["host:port", (port: number) => `127.0.0.1:${port}`],
		["a name", (port: number) => `localhost:${port}`],
		["dns:", (port: number) => `dns:///localhost:${port}`],
		["dns: without slashes", (port: number) => `dns:127.0.0.1:${port}`],
		["ipv4:", (port: number) => `ipv4:127.0.0.1:${port}`],
		["http:", (port: number) => `http://127.0.0.1:${port}`],
		["upper case", (port: number) => `HTTP://127.0.0.1:${port}`],
	])("%s", async (_, targetOf) => {
		await using server = await named("there");
		expect(await answering(targetOf(server.port))).toEqual(["there"]);
	});

	test("every address of a list, in turn with round_robin", async () => {
		await using one = await named("one");
		await using two = await named("two");
		const target = `ipv4:${one.address},${two.address}`;
		await using echo = NewEchoServiceClient(target, {
			balancer: "round_robin",
		});
		await expect
			.poll(async () => {
				await echo.echo({});
				return [one.accepted, two.accepted];
			})
			.toEqual([1, 1]);
		const names: string[] = [];
		for (let i = 0; i < 4; i++) names.push((await echo.echo({})).resp);
		expect(names.slice(0, 2).sort()).toEqual(["one", "two"]);
		expect(names.slice(2)).toEqual(names.slice(0, 2));
	});

	test("the first of a list that answers, with pick_first", async () => {
		await using one = await named("one");
		await using two = await named("two");
		const target = `ipv4:127.0.0.1:1,${one.address},${two.address}`;
		const options = { balancer: "pick_first" };
		expect(await answering(target, options)).toEqual(["one"]);
		expect(two.accepted).toBe(0);
	});

	test.each([
		["unix:/absolute", (path: string) => `unix:${path}`],
		["unix:///absolute", (path: string) => `unix://${path}`],
		["unix:relative", (path: string) => `unix:${relative(".", path)}`],
	])("%s", async (name, targetOf) => {
		const path = join(directory, `${name.replaceAll("/", "-")}.sock`);
		await using _ = await named("socket", { at: path });
		expect(await answering(targetOf(path))).toEqual(["socket"]);
	});

	test.skipIf(process.platform !== "linux")("unix-abstract:", async () => {
		const name = `homing-test-${process.pid}`;
		await using _ = await named("abstract", { at: `\0${name}` });
		expect(await answering(`unix-abstract:${name}`)).toEqual(["abstract"]);
	});

	test("the endpoints in a file, and those that come to stand there", async () => {
		await using one = await named("one");
		await using two = await named("two");
		const path = join(directory, "endpoints.json");
		writeFileSync(path, JSON.stringify([one.address]));
		await using echo = NewEchoServiceClient(`file://${path}`);
		expect((await echo.echo({})).resp).toBe("one");
		writeFileSync(path, JSON.stringify([{ address: two.address }]));
		await expect
			.poll(async () => (await echo.echo({})).resp, { timeout: 10_000 })
			.toBe("two");
	});

	test("what is registered in this process, and no longer what has gone", async () => {
		await using one = await named("one");
		await using two = await named("two");
		const registry = memoryRegistry();
		const { signal } = new AbortController();
		const name = "homing-targets";
		const first = await registry.register({ name, port: one.port }, signal);
		await using echo = NewEchoServiceClient(`memory:///${name}`);
		expect((await echo.echo({})).resp).toBe("one");
		await registry.register({ name, port: two.port }, signal);
		await first[Symbol.asyncDispose]();
		await expect.poll(async () => (await echo.echo({})).resp).toBe("two");
	});

	test("what a function lists", async () => {
		await using server = await named("polled");
		const resolver = poll(async () => [server.address]);
		expect(await answering(resolver)).toEqual(["polled"]);
	});

	test("what a resolver of one's own scheme finds", async () => {
		await using server = await named("own");
		const resolvers = {
			nacos: ({ path }: ParsedTarget) =>
				staticResolver([path === "payment" ? server.address : "127.0.0.1:1"]),
		};
		expect(await answering("nacos:///payment", { resolvers })).toEqual(["own"]);
	});

	test("one endpoint by any of its addresses", async () => {
		await using server = await named("either");
		const endpoint = { address: ["127.0.0.1:1", server.address] };
		expect(await answering(staticResolver([endpoint]))).toEqual(["either"]);
	});
});

describe("a resolver that is loaded late", () => {
	const { signal } = new AbortController();
	const context = { signal, refresh: () => new Promise<void>(() => {}) };
	const resolution = { endpoints: [{ address: "127.0.0.1:1" }] };

	test("is loaded with the first watch, and once", async () => {
		let loads = 0;
		const resolver = loadedLate(async () => {
			loads += 1;
			return {
				watch: async function* () {
					yield resolution;
				},
			};
		});
		expect(loads).toBe(0);
		for (const _ of "12") {
			for await (const seen of resolver.watch(context)) {
				expect(seen).toBe(resolution);
			}
		}
		expect(loads).toBe(1);
	});

	test("is loaded again by the next watch if that has failed", async () => {
		let loads = 0;
		const resolver = loadedLate(async () => {
			loads += 1;
			if (loads === 1) throw new Error("the disk is away");
			return {
				watch: async function* () {
					yield resolution;
				},
			};
		});
		const first = resolver.watch(context)[Symbol.asyncIterator]();
		await expect(first.next()).rejects.toThrow("the disk is away");
		const second = resolver.watch(context)[Symbol.asyncIterator]();
		expect((await second.next()).value).toBe(resolution);
	});
});
