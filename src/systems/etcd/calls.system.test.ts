/** Servers and clients that find each other through a real etcd, also while etcd or servers fail. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { EtcdInit } from "../../../testdata/harness/etcd-member.ts";
import {
	EtcdServer,
	etcdMissing,
} from "../../../testdata/harness/etcd-server.ts";
import { TcpLine } from "../../../testdata/harness/tcp-line.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { ClientOptions } from "../../client/options/client-options.ts";
import type { Registration } from "../../discovery/registry.ts";
import { Server } from "../../server/server.ts";
import { type EtcdRegistryOptions, etcdRegistry } from "./registry.ts";

/** A retry policy for calls that a dying server may have begun. */
const idempotent: ClientOptions = {
	retryPolicy: {
		maxAttempts: 4,
		initialBackoff: "0.05s",
		maxBackoff: "1s",
		backoffMultiplier: 2,
		retryableStatusCodes: ["UNAVAILABLE"],
	},
};

interface Announced extends AsyncDisposable {
	readonly server: Server;
	readonly registration: Registration;
	/** The errors that were reported to hooks. */
	readonly errors: Error[];
}

/** Starts a server that answers with its own name. */
async function announced(
	name: string,
	resp: string,
	options: EtcdRegistryOptions,
): Promise<Announced> {
	const errors: Error[] = [];
	const onError = (error: unknown): void => {
		errors.push(error as Error);
	};
	const server = new Server({ onError });
	RegisterEchoServiceServer(server, { echo: () => ({ resp }) });
	await server.listen("127.0.0.1:0");
	const registry = etcdRegistry({ onError, ...options });
	const registration = await server.announce(registry, { name });
	return {
		server,
		registration,
		errors,
		[Symbol.asyncDispose]: () => server.shutdown({ graceMs: 0 }),
	};
}

function clientOf(
	etcd: { readonly hosts: readonly string[] },
	name: string,
	options: ClientOptions = {},
	parameters = "",
): EchoServiceClient {
	return NewEchoServiceClient(
		`etcd://${etcd.hosts.join(",")}/kitex/registry-etcd/${name}${parameters}`,
		options,
	);
}

/** Makes calls all the time, and records which server answered and which calls failed. */
class Caller implements AsyncDisposable {
	readonly failures: string[] = [];
	calls = 0;
	#lately: string[] = [];
	#ended = false;
	readonly #done: Promise<void>;

	constructor(client: EchoServiceClient) {
		this.#done = this.#run(client);
	}

	/** Resolves when 20 calls in a row were answered by these servers, and by no others. */
	async reaches(...names: string[]): Promise<void> {
		this.#lately = [];
		const wanted = names.sort();
		await vi.waitFor(
			() => {
				expect(this.#lately.length).toBeGreaterThanOrEqual(20);
				const seen = new Set(this.#lately.slice(-20));
				expect([...seen].sort()).toEqual(wanted);
			},
			{ timeout: 25_000, interval: 10 },
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#ended = true;
		await this.#done;
	}

	async #run(client: EchoServiceClient): Promise<void> {
		while (!this.#ended) {
			this.calls += 1;
			try {
				this.#lately.push((await client.echo({})).resp);
			} catch (error) {
				this.failures.push((error as Error).message);
			}
			await new Promise((resolve) => setTimeout(resolve, 2));
		}
	}
}

describe.skipIf(etcdMissing)("by one etcd", () => {
	let etcd: EtcdServer;
	beforeAll(async () => {
		etcd = await EtcdServer.start();
	});
	afterAll(() => etcd[Symbol.asyncDispose]());

	let names = 0;
	const newName = (): string => `calls-${++names}`;

	test("calls reach servers as they come, and do not fail as they go", async () => {
		const name = newName();
		await using one = await announced(name, "one", { hosts: etcd.hosts });
		await using client = clientOf(etcd, name);
		await using caller = new Caller(client);
		await caller.reaches("one");
		await using two = await announced(name, "two", { hosts: etcd.hosts });
		await caller.reaches("one", "two");
		await one.server.shutdown();
		await caller.reaches("two");
		await two.registration.setServing(false);
		await using _three = await announced(name, "three", { hosts: etcd.hosts });
		await caller.reaches("three");
		await two.registration.setServing(true);
		await caller.reaches("two", "three");
		expect(caller.failures).toEqual([]);
		expect([...one.errors, ...two.errors]).toEqual([]);
	});

	test("the first call on a new server comes within 200 ms of its announcement", async () => {
		const name = newName();
		await using _one = await announced(name, "one", { hosts: etcd.hosts });
		await using client = clientOf(etcd, name, { balancer: "round_robin" });
		await client.echo({});
		const times: number[] = [];
		for (const resp of ["a", "b", "c"]) {
			await new Promise((resolve) => setTimeout(resolve, 200));
			await using _ = await announced(name, resp, { hosts: etcd.hosts });
			const began = performance.now();
			while ((await client.echo({})).resp !== resp);
			times.push(performance.now() - began);
		}
		expect(Math.min(...times)).toBeLessThan(200);
	});

	test("a key for the service config changes the policy of a running client", async () => {
		const name = newName();
		const key = `configs/${name}`;
		await using _one = await announced(name, "one", { hosts: etcd.hosts });
		await using client = clientOf(etcd, name, {}, `?config=${key}`);
		await client.echo({});
		const methodConfig = [{ name: [{}], timeout: "0.000001s" }];
		await etcd.put(key, JSON.stringify({ methodConfig }));
		await vi.waitFor(() =>
			expect(client.echo({})).rejects.toMatchObject({
				code: Code.DeadlineExceeded,
			}),
		);
		await etcd.delete(key);
		await vi.waitFor(() => client.echo({}));
	});

	test("the error of a call to an unknown service says so", async () => {
		const name = newName();
		await using client = clientOf(etcd, name);
		const error = await client.echo({}).catch((e) => e);
		expect(error).toBeInstanceOf(ConnectError);
		expect(error).toMatchObject({
			code: Code.Unavailable,
			rawMessage: expect.stringContaining(
				`there are no keys under kitex/registry-etcd/${name}/ in etcd at ${etcd.address}`,
			),
		});
		await using _one = await announced(name, "one", { hosts: etcd.hosts });
		await vi.waitFor(() => client.echo({}));
	});

	test("the error of a call says when etcd cannot be reached; a call with waitForReady waits", async () => {
		const hosts = ["127.0.0.1:1"];
		await using client = clientOf({ hosts }, "payment");
		const error = await client.echo({}).catch((e) => e);
		expect(error).toMatchObject({
			code: Code.Unavailable,
			rawMessage: expect.stringMatching(
				/reading kitex\/registry-etcd\/payment\/: etcd at 127\.0\.0\.1:1 cannot be reached: connect ECONNREFUSED/,
			),
		});
		await expect(
			client.echo({}, { waitForReady: true, timeoutMs: 100 }),
		).rejects.toMatchObject({ code: Code.DeadlineExceeded });
	});

	test("a killed server is removed within the TTL of its lease, and no call fails meanwhile", async () => {
		const name = newName();
		await using _one = await announced(name, "one", { hosts: etcd.hosts });
		const victim = await serverProcess(name, "two", etcd.hosts);
		await using client = clientOf(etcd, name, idempotent);
		await using caller = new Caller(client);
		await caller.reaches("one", "two");
		victim.kill("SIGKILL");
		const killed = performance.now();
		const prefix = `kitex/registry-etcd/${name}/`;
		await vi.waitFor(
			async () => expect(await etcd.list(prefix)).toHaveLength(1),
			10_000,
		);
		// 2 s after the last renewal; etcd checks leases every half second.
		expect(performance.now() - killed).toBeLessThan(4000);
		await caller.reaches("one");
		expect(caller.calls).toBeGreaterThan(100);
		expect(caller.failures).toEqual([]);
	});

	test.each(["hangs", "is gone"])(
		"an etcd that %s does not prevent a server from ending, and that is reported",
		async (how) => {
			const name = newName();
			const line = await TcpLine.before(etcd.address);
			const { server, errors } = await announced(name, "one", {
				hosts: [line.address],
				ttl: "2s",
			});
			if (how === "hangs") line.stop();
			else await line[Symbol.asyncDispose]();
			const began = performance.now();
			await server.shutdown();
			expect(performance.now() - began).toBeLessThan(2500);
			expect(errors.at(-1)).toMatchObject({
				problem: "unreachable",
				message: expect.stringContaining(`removing ${name} at 127.0.0.1:`),
			});
			line.goOn();
			await line[Symbol.asyncDispose]();
		},
	);

	test("a registered program ends by itself, but not before it is registered or deregistered", async () => {
		const name = newName();
		const program = run(`
			const registry = etcdRegistry({ hosts: ["${etcd.address}"] });
			const { signal } = new AbortController();
			const at = (port) => ({ name: "${name}", host: "10.0.0.1", port });
			await registry.register(at(1), signal);
			const second = await registry.register(at(2), signal);
			await second[Symbol.asyncDispose]();
		`);
		const [code] = await once(program, "close");
		expect(code).toBe(0);
		const keys = await etcd.list(`kitex/registry-etcd/${name}/`);
		expect(keys.map(({ key }) => key)).toEqual([
			`kitex/registry-etcd/${name}/10.0.0.1:1`,
		]);
	});

	test("a program with a client that watches ends by itself", async () => {
		const name = newName();
		await using _one = await announced(name, "one", { hosts: etcd.hosts });
		const program = run(`
			const client = newClient(
				EchoService,
				"etcd://${etcd.address}/kitex/registry-etcd/${name}?config=x",
			);
			console.log((await client.echo({})).resp);
		`);
		const [code] = await once(program, "close");
		expect(code).toBe(0);
	});
});

describe.skipIf(etcdMissing)("by an etcd of its own", () => {
	const name = "payment";

	test.each<[string, EtcdInit]>([
		["one member", {}],
		["three members", { members: 3 }],
	])(
		"when all of %s are killed, calls go on, and when they come back without data, servers register again",
		async (_, init) => {
			await using etcd = await EtcdServer.start(init);
			const options = { hosts: etcd.hosts, ttl: "3s" } as const;
			await using one = await announced(name, "one", options);
			await using _two = await announced(name, "two", options);
			await using client = clientOf(etcd, name);
			await using caller = new Caller(client);
			await caller.reaches("one", "two");
			await etcd.killAll();
			await caller.reaches("one", "two");
			await vi.waitFor(() => expect(one.errors).not.toEqual([]), 15_000);
			expect(one.errors[0]).toMatchObject({ problem: "unreachable" });
			await etcd.startAnew();
			await vi.waitFor(
				async () =>
					expect(await etcd.list("kitex/registry-etcd/")).toHaveLength(2),
				20_000,
			);
			await using _three = await announced(name, "three", options);
			await caller.reaches("one", "two", "three");
			expect(caller.failures).toEqual([]);
		},
		90_000,
	);

	test("the loss of one of three members causes no failure", async () => {
		await using etcd = await EtcdServer.start({ members: 3 });
		const options = { hosts: etcd.hosts, ttl: "5s" } as const;
		await using one = await announced(name, "one", options);
		await using client = clientOf(etcd, name);
		await using caller = new Caller(client);
		await caller.reaches("one");
		for (const member of etcd.members) {
			await member.kill();
			await using _two = await announced(name, "two", options);
			await caller.reaches("one", "two");
			if (member === etcd.members.at(-1)) {
				// For more than the TTL of a lease.
				await new Promise((resolve) => setTimeout(resolve, 6000));
				await caller.reaches("one", "two");
			}
			await member.start();
		}
		expect(caller.failures).toEqual([]);
		for (const error of one.errors) {
			expect(error).toMatchObject({ problem: "unreachable" });
		}
	}, 120_000);

	test("with TLS and users, servers and clients find each other, and other clients find nothing", async () => {
		await using etcd = await EtcdServer.start({ tls: "server", auth: true });
		const { hosts, tls } = etcd;
		await etcd.addUser("shop", "secret", "READWRITE", "kitex/registry-etcd/");
		const login = {
			hosts,
			tls: { ca: tls?.ca ?? "" },
			user: "shop",
			password: "secret",
		};
		await using _one = await announced(name, "one", login);
		const { etcdResolver } = await import("./resolver.ts");
		const prefix = "kitex/registry-etcd/payment";
		await using client = NewEchoServiceClient(
			etcdResolver({ ...login, prefix }),
		);
		expect((await client.echo({})).resp).toBe("one");
		const { password: _, user: __, ...stranger } = login;
		await using other = NewEchoServiceClient(
			etcdResolver({ ...stranger, prefix }),
		);
		await expect(other.echo({})).rejects.toMatchObject({
			code: Code.Unavailable,
			rawMessage: expect.stringContaining("set `user` and `password`"),
		});
		await expect(announced("x", "x", stranger)).rejects.toMatchObject({
			problem: "forbidden",
		});
		await expect(
			announced(name, "x", { ...login, prefix: "elsewhere" }),
		).rejects.toMatchObject({
			problem: "forbidden",
			message: expect.stringContaining(
				"permission denied; grant its role a permission for these keys",
			),
		});
	});
});

const here = (file: string): string =>
	JSON.stringify(new URL(file, import.meta.url).href);

const processes: ChildProcess[] = [];
afterAll(() => {
	for (const process of processes) process.kill("SIGKILL");
});

/** Runs a program in its own process. */
function run(program: string): ChildProcess {
	const services = "../../../testdata/services/gen";
	const prelude = `
		import { newClient } from ${here("../../client.ts")};
		import { Server } from ${here("../../server.ts")};
		import { etcdRegistry } from ${here("../../etcd.ts")};
		import { EchoService } from ${here(`${services}/echo/echo_pb.ts`)};
	`;
	const child = spawn(
		process.execPath,
		[
			"--experimental-strip-types",
			"--no-warnings",
			"--input-type=module",
			"--eval",
			`${prelude}${program}`,
		],
		{ stdio: ["ignore", "pipe", "inherit"], timeout: 60_000 },
	);
	processes.push(child);
	return child;
}

/** A server that is announced with a lease of 2 s. */
async function serverProcess(
	name: string,
	resp: string,
	hosts: readonly string[],
): Promise<ChildProcess> {
	const child = run(`
		const server = new Server();
		server.add(EchoService, { echo: () => ({ resp: "${resp}" }) });
		await server.listen("127.0.0.1:0");
		const registry = etcdRegistry({ hosts: ${JSON.stringify(hosts)}, ttl: "2s" });
		await server.announce(registry, { name: "${name}" });
		console.log("announced");
	`);
	if (child.stdout) await once(child.stdout, "data");
	return child;
}
