import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
	ConsulAgent,
	consulMissing,
} from "../../../testdata/harness/consul-agent.ts";
import { FakeClock, settled } from "../../../testdata/harness/fake-clock.ts";
import { HttpProxy } from "../../../testdata/harness/http-proxy.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { consulRegistry } from "./registry.ts";
import { consulResolver } from "./resolver.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

function watching(agent: string, service: string): Watching {
	const watch = new Watching(
		consulResolver({ service, agent }, { environment: {} }),
	);
	after.push(() => watch[Symbol.asyncDispose]());
	return watch;
}

async function proxyOf(consul: ConsulAgent): Promise<HttpProxy> {
	const proxy = await HttpProxy.start(consul.address);
	after.push(() => proxy[Symbol.asyncDispose]());
	return proxy;
}

const address = (port: number): string => `10.0.0.1:${port}`;

/** The faults: what the client gets instead of an answer. */
const answers: readonly [
	what: string,
	answer: (request: IncomingMessage, response: ServerResponse) => void,
	problem: string,
	message: string,
][] = [
	[
		"a 500",
		(_, response) => response.writeHead(500).end("rpc error: no leader"),
		"unreachable",
		"with status 500: rpc error: no leader",
	],
	[
		"a 429",
		(_, response) => response.writeHead(429).end("Your IP is over limits"),
		"unreachable",
		"with status 429: Your IP is over limits",
	],
	[
		"a 403",
		(_, response) => response.writeHead(403).end("Permission denied"),
		"forbidden",
		"with status 403: Permission denied; set a token that may do this",
	],
	[
		"a 403 of a gateway",
		(_, response) => response.writeHead(403).end("<h1>Forbidden</h1>"),
		"forbidden",
		"with status 403: <h1>Forbidden</h1>; set a token that may do this",
	],
	[
		"a 401 without a body",
		(_, response) => response.writeHead(401).end(),
		"forbidden",
		"with status 401; set a token that may do this",
	],
	[
		"a 500, as a server behind it has refused",
		(_, response) =>
			response.writeHead(500).end("rpc error making call: Permission denied"),
		"forbidden",
		"with status 500: rpc error making call: Permission denied; set a token",
	],
	[
		"a 500, as a server behind it does not know the token",
		(_, response) => response.writeHead(500).end("rpc error: ACL not found"),
		"forbidden",
		"with status 500: rpc error: ACL not found; the agent does not know this token",
	],
	[
		"a 404 of something else",
		(_, response) => response.writeHead(404).end("<h1>nginx</h1>"),
		"badAnswer",
		"with status 404: <h1>nginx</h1>",
	],
	[
		"a redirection",
		(_, response) =>
			response.writeHead(302, { location: "https://agent/" }).end("Moved"),
		"badAnswer",
		"with status 302, a redirection to https://agent/, which is not followed; give",
	],
	[
		"half an answer",
		(_, response) => {
			response.writeHead(200, { "x-consul-index": "9", "content-length": 99 });
			response.write('[{"Service"', () => response.destroy());
		},
		"badAnswer",
		"with a body that was cut off",
	],
	[
		"half an answer, as if it were whole",
		(_, response) => response.setHeader("x-consul-index", "9").end("[{"),
		"badAnswer",
		'with what is not JSON: "[{"',
	],
	[
		"nothing",
		(_, response) => response.setHeader("x-consul-index", "9").end(),
		"badAnswer",
		"with an invalid body: body: undefined is not a list",
	],
	[
		"JSON of another kind",
		(_, response) =>
			response.setHeader("x-consul-index", "9").end('[{"Service":null}]'),
		"badAnswer",
		"with an invalid body: body[0].Service: null is not an object",
	],
	[
		"no index",
		(_, response) => response.end("[]"),
		"badAnswer",
		"with no X-Consul-Index; is it a Consul agent",
	],
	[
		"no HTTP",
		(request) => request.socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
		"badAnswer",
		"with what is not HTTP (",
	],
	[
		"the end of the connection",
		(request) => request.socket.destroy(),
		"unreachable",
		": socket hang up",
	],
];

describe.skipIf(consulMissing)("an agent that answers with", () => {
	let consul: ConsulAgent;
	beforeAll(async () => {
		consul = await ConsulAgent.start();
		await consul.register({ Name: "a", Address: "10.0.0.1", Port: 1 });
	});
	afterAll(() => consul[Symbol.asyncDispose]());

	describe.each(answers)("%s", (_, answer, problem, message) => {
		test("to the first query makes the watch fail with an error that says why", async () => {
			const proxy = await proxyOf(consul);
			proxy.interfere = (request, response) => {
				answer(request, response);
				return true;
			};
			const error = (await watching(proxy.address, "a")
				.ended) as DiscoveryError;
			expect(error).toMatchObject({
				problem,
				message: expect.stringContaining(message),
			});
			expect(error.message).toContain(
				`the Consul agent at http://${proxy.address}`,
			);
		});

		test("to a later query changes nothing and is reported, until the agent answers again", async () => {
			const proxy = await proxyOf(consul);
			const name = `later-${proxy.address}`;
			await consul.register({
				Name: name,
				ID: `${name}1`,
				Address: "10.0.0.1",
				Port: 1,
			});
			const watch = watching(proxy.address, name);
			await watch.until(() => watch.seen.length === 1);
			let faults = 0;
			proxy.interfere = (request, response) => {
				faults += 1;
				if (faults > 1) return false;
				answer(request, response);
				return true;
			};
			// A blocking query is sent again when its connection ends.
			proxy.cut();
			await watch.until(() => watch.reported.length > 0);
			expect(watch.reported[0]).toMatchObject({
				problem,
				message: expect.stringContaining(message),
			});
			await consul.register({
				Name: name,
				ID: `${name}2`,
				Address: "10.0.0.1",
				Port: 2,
			});
			await watch.until(() => watch.addresses?.length === 2);
			expect(watch.seen).toHaveLength(2);
		});
	});
});

describe.skipIf(consulMissing)("an agent that", () => {
	async function agent(init?: Parameters<typeof ConsulAgent.start>[0]) {
		const consul = await ConsulAgent.start(init);
		after.push(() => consul[Symbol.asyncDispose]());
		return consul;
	}

	const register = (consul: ConsulAgent, port: number): Promise<void> =>
		consul.register({
			Name: "a",
			ID: `a${port}`,
			Address: "10.0.0.1",
			Port: port,
		});

	test("does not hold answers back is queried a dozen times, and then once in 15 s", async () => {
		const consul = await agent();
		await register(consul, 1);
		const proxy = await proxyOf(consul);
		const answer = await fetch(
			`http://${consul.address}/v1/health/service/a?passing`,
		);
		const body = await answer.text();
		const index = answer.headers.get("x-consul-index") ?? "";
		proxy.interfere = (_, response) => {
			response.setHeader("x-consul-index", index).end(body);
			return true;
		};
		const watch = watching(proxy.address, "a");
		await watch.until(() => watch.seen.length > 0);
		await expect
			.poll(() => proxy.seen.length, { timeout: 10_000, interval: 10 })
			.toBe(12);
		const startedAt = performance.now();
		await expect
			.poll(() => proxy.seen.length, { timeout: 20_000, interval: 250 })
			.toBe(13);
		expect(performance.now() - startedAt).toBeGreaterThan(12_000);
		expect(watch.seen).toHaveLength(1);
	});

	test("has 200 changes in a second is queried a few times, and the result is seen", async () => {
		const consul = await agent();
		await register(consul, 1);
		const proxy = await proxyOf(consul);
		const watch = watching(proxy.address, "a");
		await watch.until(() => watch.seen.length > 0);
		const startedAt = performance.now();
		for (let n = 0; n < 100; n++) {
			await register(consul, 2 + n);
			await consul.deregister(`a${2 + n}`);
		}
		await register(consul, 1000);
		await watch.until(() => watch.addresses?.includes(address(1000)) ?? false);
		await watch.until(() => watch.addresses?.length === 2);
		const seconds = (performance.now() - startedAt) / 1000;
		expect(proxy.seen.length).toBeLessThan(5 + 10 * seconds);
	});

	test("knows 5,000 instances reports all of them, and each change", async () => {
		const consul = await agent();
		const instance = (n: number) => ({
			Service: {
				Verb: "set",
				Node: "far",
				Service: {
					ID: `a${n}`,
					Service: "a",
					Address: `10.0.${n >> 8}.${n & 255}`,
					Port: 50051,
					Meta: { zone: `z${n % 3}`, version: "2" },
					Weights: { Passing: 10, Warning: 1 },
				},
			},
		});
		await consul.ask("PUT", "catalog/register", {
			Node: "far",
			Address: "10.0.0.1",
		});
		for (let n = 0; n < 5000; n += 50) {
			await consul.ask(
				"PUT",
				"txn",
				Array.from({ length: 50 }, (_, i) => instance(n + i)),
			);
		}
		const watch = watching(consul.address, "a");
		await watch.until(() => watch.addresses?.length === 5000);
		await consul.ask("PUT", "txn", [instance(5000)]);
		await watch.until(() => watch.addresses?.length === 5001);
		await consul.ask("PUT", "catalog/deregister", { Node: "far" });
		await watch.until(() => watch.seen.at(-1)?.endpoints.length === 0);
		expect(watch.reported).toEqual([]);
	});

	test("is killed and restarted is followed again, with the state that it then has", async () => {
		const consul = await agent();
		// An index that the restarted agent reaches only after a while.
		for (let n = 1; n <= 30; n++) await register(consul, n);
		const watch = watching(consul.address, "a");
		await watch.until(() => watch.addresses?.length === 30);
		await consul.kill();
		await watch.until(() => watch.reported.length > 0);
		expect(watch.reported[0]).toMatchObject({ problem: "unreachable" });
		expect(watch.addresses).toHaveLength(30);
		await consul.start();
		await register(consul, 31);
		await watch.until(() => watch.addresses?.length === 1);
		expect(watch.addresses).toEqual([address(31)]);
		await register(consul, 32);
		await watch.until(() => watch.addresses?.length === 2);
	});

	test("sends an unreadable answer is queried again without waiting for a change", async () => {
		const consul = await agent();
		await register(consul, 1);
		const proxy = await proxyOf(consul);
		const watch = watching(proxy.address, "a");
		await watch.until(() => watch.seen.length > 0);
		let spoilt = false;
		proxy.interfere = (_, response) => {
			if (spoilt) return false;
			spoilt = true;
			void (async () => {
				await register(consul, 2);
				const url = `http://${consul.address}/v1/health/service/a?passing`;
				const { headers } = await fetch(url);
				response.setHeader(
					"x-consul-index",
					headers.get("x-consul-index") ?? "",
				);
				response.end('[{"Service":null}]');
			})();
			return true;
		};
		proxy.cut();
		await watch.until(() => watch.addresses?.length === 2);
		expect(watch.reported).toHaveLength(1);
		expect(watch.reported[0]).toMatchObject({ problem: "badAnswer" });
	});

	test("does not say at first why there are no instances is queried again", async () => {
		const consul = await agent();
		await register(consul, 1);
		const proxy = await proxyOf(consul);
		const watch = watching(proxy.address, "a");
		await watch.until(() => watch.seen.length > 0);
		let refused = 0;
		proxy.interfere = ({ url }, response) => {
			if (url !== "/v1/health/service/a" || refused > 0) return false;
			refused += 1;
			response.writeHead(500).end("no leader");
			return true;
		};
		await consul.deregister("a1");
		await watch.until(() => watch.seen.length === 2);
		expect(refused).toBe(1);
		expect(watch.reported).toHaveLength(1);
		expect(watch.seen.at(-1)).toMatchObject({
			endpoints: [],
			reason: { problem: "unknownService" },
		});
	});

	test("hangs makes a new watch fail, and is heard again by an old one", async () => {
		const consul = await agent();
		await register(consul, 1);
		const watch = watching(consul.address, "a");
		await watch.until(() => watch.seen.length > 0);
		consul.pause();
		expect(await watching(consul.address, "a").ended).toMatchObject({
			problem: "unreachable",
			message: `cannot reach the Consul agent at http://${consul.address}: no answer within 9 s`,
		});
		consul.resume();
		// Registers with the servers directly: the agent itself would try again only after 15 s to 30 s.
		const instance = {
			Node: "other",
			Address: "10.0.0.2",
			Service: { ID: "a2", Service: "a", Address: "10.0.0.2", Port: 2 },
		};
		await expect
			.poll(() => consul.ask("PUT", "catalog/register", instance), {
				timeout: 15_000,
			})
			.toBe(true);
		await watch.until(() => watch.addresses?.length === 2);
		expect(watch.reported).toEqual([]);
	});
});

test("an agent with errors is queried sooner after a connection to a server is lost", async () => {
	const agent = await HttpProxy.start();
	after.push(() => agent[Symbol.asyncDispose]());
	let inOrder = true;
	agent.interfere = ({ url }, response) => {
		response.setHeader("x-consul-index", "1");
		if (!inOrder) response.writeHead(500).end();
		if (!inOrder || url?.includes("index=")) return true;
		const instance = { Service: { Address: "10.0.0.1", Port: 1 } };
		const key = { Value: btoa("{}") };
		response.end(JSON.stringify([url?.includes("/kv/") ? key : instance]));
		return true;
	};
	const clock = new FakeClock();
	const watch = new Watching(
		consulResolver(
			{ service: "a", agent: agent.address, config: "b" },
			{ environment: {}, clock, random: () => 0.5 },
		),
	);
	after.push(() => watch[Symbol.asyncDispose]());
	await watch.until(() => watch.seen.length > 0);
	const asked = (what: string): number =>
		agent.seen.filter((line) => line.includes(what)).length;
	inOrder = false;
	agent.cut();
	const failures = (): number => watch.reported.length;
	const failuresAfter = async (count: number): Promise<void> => {
		const goal = failures() + count;
		while (failures() < goal) {
			await clock.advance(10);
		}
	};
	// The backoff is then 16 s.
	await failuresAfter(2 * 8);
	const all = (): number[] => [asked("/health/"), asked("/kv/")];
	const before = all();
	for (let n = 0; n < 20; n++) await clock.advance(100);
	expect(all()).toEqual(before);
	watch.refresh();
	await clock.advance(100);
	await expect.poll(all).toEqual(before.map((count) => count + 1));
});

test("an instance with a weight of 0 is left out, and the error says so if it is the last one", async () => {
	const agent = await HttpProxy.start();
	after.push(() => agent[Symbol.asyncDispose]());
	const instance = (Port: number, Passing: number) => ({
		Service: { Address: "10.0.0.1", Port, Weights: { Passing } },
	});
	const instances = [instance(1, 0), instance(2, 1)];
	let index = 1;
	agent.interfere = ({ url }, response) => {
		if (url?.includes(`index=${index}&`)) return true;
		response.setHeader("x-consul-index", String(index));
		response.end(JSON.stringify(instances));
		return true;
	};
	const watch = watching(agent.address, "a");
	await watch.until(() => watch.seen.length > 0);
	expect(watch.addresses).toEqual([address(2)]);
	instances.pop();
	index = 2;
	agent.cut();
	await watch.until(() => watch.addresses?.length === 0);
	expect(watch.seen.at(-1)?.reason?.message).toMatch(
		'knows 1 instance of "a", but none can take calls: 1 passing, but with weight 0, or without a port or an address that can be reached',
	);
});

describe("no timer and no connection to an agent is left after the end", () => {
	async function silentAgent() {
		const agent = await HttpProxy.start();
		after.push(() => agent[Symbol.asyncDispose]());
		const sockets = new Set<Socket>();
		agent.interfere = ({ url, socket }, response) => {
			sockets.add(socket);
			if (url?.includes("index=")) return true;
			// An answered query leaves its connection open for the next one.
			if (url?.includes("/kv/")) response.statusCode = 500;
			response.setHeader("x-consul-index", "1");
			response.end(url?.includes("/agent/") ? "{}" : "[]");
			return true;
		};
		const open = (): number =>
			[...sockets].filter(({ destroyed }) => !destroyed).length;
		return { agent: agent.address, open, clock: new FakeClock() };
	}
	const environment = {};

	test("of a resolver", async () => {
		const { agent, open, clock } = await silentAgent();
		const watch = new Watching(
			consulResolver(
				{ service: "a", agent, config: "b" },
				{ environment, clock },
			),
		);
		await watch.until(() => watch.seen.length > 0);
		await clock.advance(100);
		await expect.poll(open).toBe(2);
		expect(clock.pending).toBeGreaterThan(0);
		await watch[Symbol.asyncDispose]();
		await expect.poll(open).toBe(0);
		await settled();
		expect(clock.pending).toBe(0);
		expect(watch.reported).toHaveLength(1);
	});

	test("of a registry", async () => {
		const { agent, open, clock } = await silentAgent();
		const registry = consulRegistry({ agent }, { environment, clock });
		// With this id, it does not wait for the catalog, which would take forever with a clock that stands still.
		const instance = { name: "a", host: "10.0.0.1", port: 1, id: '"' };
		const { signal } = new AbortController();
		const registration = await registry.register(instance, signal);
		expect(open()).toBe(1);
		expect(clock.pending).toBe(1);
		await registration[Symbol.asyncDispose]();
		await expect.poll(open).toBe(0);
		await settled();
		expect(clock.pending).toBe(0);
	});
});
