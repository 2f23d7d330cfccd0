import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
	ConsulAgent,
	type ConsulInit,
	consulMissing,
} from "../../../testdata/harness/consul-agent.ts";
import { HttpProxy } from "../../../testdata/harness/http-proxy.ts";
import { serviceOf } from "../../../testdata/harness/service-of.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { Channel } from "../../client/channel.ts";
import { channelOf } from "../../client/client-object.ts";
import { newClient } from "../../client/new-client.ts";
import type { ClientOptions } from "../../client/options/client-options.ts";
import type { ServerOptions } from "../../server/options/server-options.ts";
import { Server } from "../../server/server.ts";
import { type ConsulRegistryOptions, consulRegistry } from "./registry.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

async function agent(init?: ConsulInit): Promise<ConsulAgent> {
	const consul = await ConsulAgent.start(init);
	after.push(() => consul[Symbol.asyncDispose]());
	return consul;
}

interface ServedInit {
	readonly at?: string;
	readonly options?: ServerOptions;
	readonly registry?: ConsulRegistryOptions;
	readonly id?: string;
	/** Called before each answer. */
	readonly before?: () => Promise<unknown>;
}

/** A server that answers with its name, announced as "payment". */
async function served(
	consul: ConsulAgent,
	name: string,
	{
		at = "127.0.0.1:0",
		options = {},
		registry = {},
		id,
		before,
	}: ServedInit = {},
) {
	const server = new Server(options);
	server.add(EchoService, {
		echo: async () => {
			await before?.();
			return { resp: name };
		},
	});
	server.add(anyService, { read: () => ({}) } as object);
	const { port, address } = await server.listen(at);
	after.push(() => server.shutdown({ graceMs: 0 }));
	const registration = await server.announce(
		consulRegistry({ agent: consul.address, ...registry }),
		{ name: "payment", id },
	);
	return { server, registration, port, address };
}

function clientOf(
	consul: ConsulAgent,
	options: ClientOptions = {},
	more = "",
): EchoServiceClient {
	const client = NewEchoServiceClient(
		`consul://${consul.address}/payment${more}`,
		{ balancer: "round_robin", ...options },
	);
	after.push(() => client[Symbol.asyncDispose]());
	return client;
}

/** A service with a method that is retried by default. */
const anyService = serviceOf({ name: "Read", idempotency: "NO_SIDE_EFFECTS" });

/** Makes ten calls, none of which may fail, and returns the names of the servers. */
async function answering(echo: EchoServiceClient): Promise<string> {
	const names = new Set<string>();
	for (let n = 0; n < 10; n++) names.add((await echo.echo({})).resp);
	return [...names].sort().join(" ");
}

const soon = { timeout: 15_000 };

/** Makes calls until it is stopped. Stopping rejects if one of them has failed. */
function calling(call: () => Promise<unknown>) {
	let over = false;
	let calls = 0;
	const callers = Array.from({ length: 8 }, async () => {
		while (!over) {
			await call();
			calls += 1;
		}
	});
	const all = Promise.all(callers);
	all.catch(() => {});
	return {
		/** Resolves after this many more calls. */
		async more(count: number): Promise<void> {
			const goal = calls + count;
			await Promise.race([
				all,
				vi.waitUntil(() => calls >= goal, { timeout: 20_000 }),
			]);
		},
		async stop(): Promise<void> {
			over = true;
			await all;
		},
	};
}

describe.skipIf(consulMissing)("calls by consul: targets", () => {
	test("go to the announced servers as they come and go", async () => {
		const consul = await agent();
		const a = await served(consul, "a");
		const echo = clientOf(consul);
		expect(await answering(echo)).toBe("a");
		const b = await served(consul, "b");
		await expect.poll(() => answering(echo), soon).toBe("a b");
		await a.registration.setServing(false);
		await expect.poll(() => answering(echo), soon).toBe("b");
		await a.registration.setServing(true);
		await expect.poll(() => answering(echo), soon).toBe("a b");
		await b.server.shutdown();
		expect(await answering(echo)).toBe("a");
	});

	test("fail at once if there is no server, and say why", async () => {
		const consul = await agent();
		const echo = clientOf(consul);
		await expect(echo.echo({})).rejects.toMatchObject({
			code: Code.Unavailable,
			message: expect.stringContaining(
				`the Consul agent at http://${consul.address} knows no service "payment"`,
			),
		});
		await served(consul, "a");
		await expect
			.poll(() => answering(echo).catch(({ message }) => message), soon)
			.toBe("a");
	});

	test("with waitForReady wait until there is a server", async () => {
		const consul = await agent();
		const echo = clientOf(consul, { waitForReady: true, timeout: "20s" });
		const answer = echo.echo({});
		await served(consul, "a");
		expect((await answer).resp).toBe("a");
	});

	test("work over IPv6, to servers and to the agent", async () => {
		const consul = await agent({ host: "::1" });
		const { address } = await served(consul, "a", { at: "[::1]:0" });
		expect(address).toMatch(/^\[::1\]:/);
		expect(await answering(clientOf(consul))).toBe("a");
	});

	test("follow the service config in a key, and each change of it", async () => {
		const consul = await agent();
		const gate = Promise.withResolvers<void>();
		after.push(() => gate.resolve());
		await served(consul, "a", { before: () => gate.promise });
		const timeout = (timeout: string) =>
			consul.ask("PUT", "kv/config/payment", {
				methodConfig: [{ name: [{}], timeout }],
			});
		await timeout("0.1s");
		const reported: string[] = [];
		const hooks: ClientOptions["hooks"] = {
			resolved: (what) => {
				if ("error" in what) reported.push(what.error.message);
			},
		};
		const echo = clientOf(consul, { hooks }, "?config=config/payment");
		const failure = () =>
			echo.echo({}).then(
				() => "answered",
				({ message }) => message,
			);
		expect(await failure()).toMatch("deadline of 100 ms passed");
		await timeout("0.2s");
		await expect.poll(failure, soon).toMatch("deadline of 200 ms passed");
		await timeout("soon");
		await expect.poll(() => reported, soon).toHaveLength(1);
		expect(reported[0]).toMatch(/config\/payment .*timeout: "soon" is not a d/);
		expect(await failure()).toMatch("deadline of 200 ms passed");
		await consul.ask("PUT", "kv/config/payment", {});
		const long = echo.echo({});
		gate.resolve();
		await long;
	});

	test("do not fail when servers shut down", async () => {
		const consul = await agent();
		const servers = [];
		for (const name of ["a", "b", "c"]) {
			servers.push(await served(consul, name));
		}
		const echo = clientOf(consul);
		await expect.poll(() => answering(echo), soon).toBe("a b c");
		const calls = calling(() => echo.echo({}));
		for (const { server } of servers.slice(1)) {
			await calls.more(50);
			await server.shutdown();
		}
		await calls.more(50);
		await calls.stop();
		expect(await answering(echo)).toBe("a");
	});

	test("do not fail when the agent is killed and restarted without data, and the servers register again", async () => {
		const consul = await agent();
		const errors: string[] = [];
		const registry = {
			onError: ({ message }: Error) => errors.push(message),
		};
		await served(consul, "a", { registry });
		await served(consul, "b", { registry });
		const echo = clientOf(consul);
		await expect.poll(() => answering(echo), soon).toBe("a b");
		const calls = calling(() => echo.echo({}));
		await consul.kill();
		await calls.more(100);
		// A new client finds no server.
		await expect(clientOf(consul).echo({})).rejects.toThrow(
			`cannot reach the Consul agent at http://${consul.address}: connect ECONNREFUSED`,
		);
		await expect.poll(() => errors.length, soon).toBeGreaterThanOrEqual(2);
		await consul.start();
		const known = () =>
			consul.ask<unknown[]>("GET", "health/service/payment?passing");
		await expect.poll(async () => (await known()).length, soon).toBe(2);
		await calls.more(100);
		await served(consul, "c");
		await expect.poll(() => answering(echo), soon).toBe("a b c");
		await calls.stop();
		expect(await answering(clientOf(consul))).toBe("a b c");
	});

	test("do not fail when the agent hangs", async () => {
		const consul = await agent();
		await served(consul, "a");
		const echo = clientOf(consul);
		const calls = calling(() => echo.echo({}));
		await calls.more(50);
		consul.pause();
		await calls.more(200);
		// A new client finds no server, and its call fails before its deadline.
		await expect(clientOf(consul).echo({})).rejects.toThrow(
			"no answer within 9 s",
		);
		consul.resume();
		await served(consul, "b");
		await calls.more(50);
		await expect.poll(() => answering(echo), soon).toBe("a b");
		await calls.stop();
	});

	test("do not fail when a server is killed, and it is removed within its TTL", async () => {
		const consul = await agent();
		await served(consul, "a");
		const { process: other } = await serverProcess(consul, "b", "3s");
		const echo = clientOf(consul);
		await expect.poll(() => answering(echo), soon).toBe("a b");
		const any = newClient<{ read(request: object): Promise<object> }>(
			anyService,
			channelOf(echo) as Channel,
		);
		const calls = calling(() => any.read({}));
		await calls.more(100);
		const killedAt = Date.now();
		other.kill("SIGKILL");
		const known = () =>
			consul.ask<unknown[]>("GET", "health/service/payment?passing");
		await expect.poll(async () => (await known()).length, soon).toBe(1);
		expect(Date.now() - killedAt).toBeLessThan(3000 + 3000);
		await calls.more(100);
		await calls.stop();
	});

	test("go to the later of two processes with one id, and to the earlier one again when the later one ends or is killed", async () => {
		const consul = await agent();
		const start = (name: string) =>
			serverProcess(consul, name, "1s", "payment-1");
		const echo = clientOf(consul);
		const answer = () => answering(echo).catch(({ message }) => message);
		const a = await start("a");
		expect(await answering(echo)).toBe("a");
		const b = await start("b");
		await expect.poll(answer, soon).toBe("b");
		await expect
			.poll(a.printed, soon)
			.toMatch(/^announced\n.*another process has registered payment-1 .*\n$/);
		a.process.kill("SIGTERM");
		await once(a.process, "close");
		expect(await answering(echo)).toBe("b");
		const c = await start("c");
		await expect.poll(answer, soon).toBe("c");
		c.process.kill("SIGKILL");
		await expect.poll(answer, soon).toBe("b");
		const d = await start("d");
		await expect.poll(answer, soon).toBe("d");
		d.process.kill("SIGTERM");
		await expect.poll(answer, soon).toBe("b");
		expect(b.process.exitCode).toBe(null);
	});

	test("do not keep the process alive", async () => {
		const consul = await agent();
		await served(consul, "a");
		const program = `
			import { EchoService } from ${here("../../../testdata/services/gen/echo/echo_pb.ts")};
			import { newClient } from ${here("../../client/new-client.ts")};
			const target = "consul://${consul.address}/payment?config=x";
			const echo = newClient(EchoService, target);
			console.log((await echo.echo({})).resp);
		`;
		const child = run(program);
		let output = "";
		child.stdout?.on("data", (text) => {
			output += text;
		});
		const [code] = await once(child, "close");
		expect(output).toBe("a\n");
		expect(code).toBe(0);
	});
});

describe.skipIf(consulMissing)("a server that is announced in Consul", () => {
	test("deregisters first, and then still serves clients that have not seen the change yet", async () => {
		const consul = await agent();
		const { server, address } = await served(consul, "a");
		const echo = NewEchoServiceClient(address);
		after.push(() => echo[Symbol.asyncDispose]());
		expect((await echo.echo({})).resp).toBe("a");
		const shutdown = server.shutdown({ propagationMs: 1000 });
		await expect
			.poll(() => consul.ask("GET", "health/service/payment"), soon)
			.toEqual([]);
		expect(server.snapshot()).toMatchObject({
			state: "shuttingDown",
			addresses: [address],
			serving: { "": false },
		});
		expect((await echo.echo({})).resp).toBe("a");
		await shutdown;
	});

	test.each([
		[
			"hangs",
			(consul: ConsulAgent) => consul.pause(),
			/^payment:127\.0\.0\.1:\d+ could not be deregistered from Consul, so that clients may find it for 15 s at most, and Consul deregisters it 60 s later: the Consul agent at http:\S+ has not answered within 2 s$/,
		],
		[
			"has died",
			(consul: ConsulAgent) => consul.kill(),
			/^payment:127\.0\.0\.1:\d+ could not be deregistered from Consul, .* connect ECONNREFUSED/,
		],
	])(
		"shuts down in time when the agent %s, and reports what is left in Consul",
		async (_, fail, message) => {
			const consul = await agent();
			const onError = vi.fn();
			const { server } = await served(consul, "a", { options: { onError } });
			await fail(consul);
			const startedAt = performance.now();
			await server.shutdown();
			expect(performance.now() - startedAt).toBeLessThan(3000);
			expect(onError).toHaveBeenCalledOnce();
			expect(onError.mock.calls[0]?.[0]).toMatchObject({
				problem: "unreachable",
				message: expect.stringMatching(message),
			});
		},
	);

	test("does not keep the process alive after its shutdown", async () => {
		const consul = await agent();
		const { process: child } = await serverProcess(consul, "a", "15s");
		child.kill("SIGTERM");
		expect(await once(child, "close")).toEqual([null, "SIGTERM"]);
		expect(await consul.ask("GET", "agent/services")).toEqual({});
	});
});

test("a process stays alive while it registers in Consul and while it deregisters", async () => {
	await using agent = await HttpProxy.start();
	agent.interfere = ({ url }, response) => {
		if (url?.includes("/catalog/")) response.end("[]");
		else if (url?.includes("/register")) response.end();
		// The query for the holder of the id gets no answer either.
		return true;
	};
	const child = run(`
		import { consulRegistry } from ${here("registry.ts")};
		const registry = consulRegistry({ agent: "${agent.address}" });
		const { signal } = new AbortController();
		const instance = { name: "a", host: "10.0.0.1", port: 1 };
		const registration = await registry.register(instance, signal);
		console.log("registered");
		try {
			await registration[Symbol.asyncDispose]();
		} catch ({ problem }) {
			console.log(problem);
		}
	`);
	let output = "";
	child.stdout?.on("data", (text) => {
		output += text;
	});
	const [code] = await once(child, "close");
	expect(output).toBe("registered\nunreachable\n");
	expect(code).toBe(0);
});

const here = (file: string): string =>
	JSON.stringify(new URL(file, import.meta.url).href);

function run(program: string): ChildProcess {
	const child = spawn(
		process.execPath,
		[
			"--experimental-strip-types",
			"--no-warnings",
			"--input-type=module",
			"--eval",
			program,
		],
		{ stdio: ["ignore", "pipe", "inherit"] },
	);
	after.push(() => child.kill("SIGKILL"));
	return child;
}

/** Starts a server in its own process, and resolves when it is announced. */
async function serverProcess(
	consul: ConsulAgent,
	name: string,
	ttl: string,
	id?: string,
) {
	const child = run(`
		import { EchoService } from ${here("../../../testdata/services/gen/echo/echo_pb.ts")};
		import { serviceOf } from ${here("../../../testdata/harness/service-of.ts")};
		import { Server } from ${here("../../server/server.ts")};
		import { consulRegistry } from ${here("registry.ts")};
		const server = new Server({ handleSignals: true });
		server.add(EchoService, { echo: () => ({ resp: "${name}" }) });
		server.add(serviceOf({ name: "Read" }), { read: () => ({}) });
		await server.listen("127.0.0.1:0");
		const registry = consulRegistry({
			agent: "${consul.address}",
			check: { kind: "ttl", ttl: "${ttl}" },
			onError: ({ message }) => console.log(message),
		});
		await server.announce(registry, {
			name: "payment",
			id: ${JSON.stringify(id)},
		});
		console.log("announced");
	`);
	let text = "";
	child.stdout?.on("data", (more) => {
		text += more;
	});
	await once(child.stdout as NodeJS.ReadableStream, "data");
	return { process: child, printed: () => text };
}
