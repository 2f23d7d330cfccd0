import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
	ConsulAgent,
	consulMissing,
	type ServiceDefinition,
} from "../../../testdata/harness/consul-agent.ts";
import { HttpProxy } from "../../../testdata/harness/http-proxy.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import type { Instance, Registration } from "../../discovery/registry.ts";
import { Server } from "../../server/server.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { ownAddress } from "../own-address.ts";
import { type ConsulRegistryOptions, consulRegistry } from "./registry.ts";
import { consulResolver } from "./resolver.ts";

const never = new AbortController().signal;

/** A timeout that is long enough on a busy machine. */
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 15_000 });

interface CatalogEntry {
	readonly Service: {
		readonly ID: string;
		readonly Address: string;
		readonly Port: number;
		readonly Tags: readonly string[];
		readonly Meta: Readonly<Record<string, string>>;
		readonly Weights: object;
	};
	readonly Checks: readonly {
		readonly CheckID: string;
		readonly Status: string;
		readonly Type: string;
	}[];
}

describe.skipIf(consulMissing)("a Consul registry", () => {
	let consul: ConsulAgent;
	let names = 0;
	const errors: string[] = [];
	beforeAll(async () => {
		consul = await ConsulAgent.start();
	});
	afterAll(() => consul[Symbol.asyncDispose]());

	const newName = (): string => {
		names += 1;
		return `service-${names}`;
	};

	function register(
		instance: Instance,
		options: ConsulRegistryOptions = {},
	): Promise<Registration> {
		errors.length = 0;
		const registry = consulRegistry(
			{
				agent: consul.address,
				onError: ({ message }) => errors.push(message),
				...options,
			},
			{ environment: {} },
		);
		return registry.register({ host: "10.0.0.1", ...instance }, never);
	}

	/** Returns the instances of a service in the catalog, healthy or not. */
	const entries = (name: string): Promise<CatalogEntry[]> =>
		consul.ask<CatalogEntry[]>("GET", `health/service/${name}`);

	/** Returns the ports of the healthy instances. */
	const passing = async (name: string): Promise<number[]> => {
		const fit = await consul.ask<CatalogEntry[]>(
			"GET",
			`health/service/${name}?passing`,
		);
		return fit.map(({ Service }) => Service.Port);
	};

	test("registers an instance with all its fields until it is disposed", async () => {
		const name = newName();
		const registration = await register({
			name,
			port: 7,
			weight: 20,
			zone: "eu-1a",
			tags: ["stage:canary", "fast"],
			attributes: { version: "2" },
		});
		await soon(() => passing(name)).toEqual([7]);
		expect((await entries(name))[0]?.Service).toMatchObject({
			ID: `${name}:10.0.0.1:7`,
			Address: "10.0.0.1",
			Port: 7,
			Tags: ["stage:canary", "fast"],
			Meta: { version: "2", zone: "eu-1a" },
			Weights: { Passing: 20, Warning: 20 },
		});
		await registration[Symbol.asyncDispose]();
		await soon(() => entries(name)).toEqual([]);
		await registration[Symbol.asyncDispose]();
		await registration.setServing(true);
		expect(await entries(name)).toEqual([]);
	});

	test("resolves when clients can find the instance, and not before", async () => {
		for (let n = 0; n < 20; n++) {
			const name = newName();
			await using _ = await register({ name, port: 7 });
			expect(await passing(name)).toEqual([7]);
		}
	});

	test("uses this machine's own address and Consul's weight by default", async () => {
		const name = newName();
		const registry = consulRegistry({ agent: consul.address });
		await using _ = await registry.register({ name, port: 7 }, never);
		await soon(() => passing(name)).toEqual([7]);
		expect((await entries(name))[0]?.Service).toMatchObject({
			ID: `${name}:${ownAddress()}:7`,
			Address: ownAddress(),
			Weights: { Passing: 1, Warning: 1 },
		});
	});

	test("registers IPv6 addresses with an id of its own", async () => {
		const name = newName();
		await using _ = await register({ name, port: 7, host: "::1", id: "a/b c" });
		await using __ = await register({ name, port: 8, host: "[::1]" });
		await soon(async () => (await passing(name)).sort()).toEqual([7, 8]);
		const ids = (await entries(name)).map(({ Service }) => Service.ID);
		expect(ids.sort()).toEqual(["a/b c", `${name}:::1:8`]);
		expect((await entries(name))[0]?.Service.Address).toBe("::1");
	});

	test.each(["a/b", "a//../b", "日本 ü", "a%2Fb", "a?b#c&d", 'a"b\\'])(
		"registers, keeps and deregisters a service called %j",
		async (name) => {
			const check = { kind: "ttl", ttl: "1s" } as const;
			const registration = await register({ name, port: 7 }, { check });
			const service = { service: name, agent: consul.address };
			await using watch = new Watching(
				consulResolver(service, { environment: {} }),
			);
			await watch.until(() => watch.addresses?.length === 1);
			await registration.setServing(false);
			await watch.until(() => watch.addresses?.length === 0);
			await consul.deregister(`${name}:10.0.0.1:7`);
			await registration.setServing(true);
			await watch.until(() => watch.addresses?.length === 1);
			await registration[Symbol.asyncDispose]();
			await watch.until(
				() => Object(watch.seen.at(-1)?.reason).problem === "unknownService",
			);
			expect(errors).toEqual([]);
		},
	);

	test("keeps a TTL check passing for longer than the TTL", async () => {
		const name = newName();
		const options = { check: { kind: "ttl", ttl: "2s" } } as const;
		const registration = await register({ name, port: 7 }, options);
		await soon(() => passing(name)).toEqual([7]);
		const startedAt = Date.now();
		while (Date.now() - startedAt < 4500) {
			expect(await passing(name)).toEqual([7]);
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		await registration[Symbol.asyncDispose]();
	});

	describe("lets the agent check", () => {
		const interval = "1s";

		test("by the server's health service", async () => {
			const name = newName();
			const server = new Server();
			const { port } = await server.listen("127.0.0.1:0");
			await using _ = await register(
				{ name, host: "127.0.0.1", port },
				{ check: { kind: "grpc", interval } },
			);
			await soon(() => passing(name)).toEqual([port]);
			server.setServing("", false);
			await soon(() => passing(name)).toEqual([]);
			server.setServing("", true);
			await soon(() => passing(name)).toEqual([port]);
			await server.shutdown();
			await soon(() => passing(name)).toEqual([]);
		});

		test("one of the server's services", async () => {
			const name = newName();
			const server = new Server();
			server.add(
				(await import("../../../testdata/services/gen/echo/echo_pb.ts"))
					.EchoService,
				{ echo: () => ({}) },
			);
			const { port } = await server.listen("127.0.0.1:0");
			const service = "echo.EchoService";
			await using _ = await register(
				{ name, host: "127.0.0.1", port },
				{ check: { kind: "grpc", interval, service } },
			);
			server.setServing(service, false);
			await soon(() => passing(name)).toEqual([]);
			server.setServing(service, true);
			await soon(() => passing(name)).toEqual([port]);
			await server.shutdown();
		});

		test("by connecting", async () => {
			const name = newName();
			const server = new Server();
			const { port } = await server.listen("127.0.0.1:0");
			await using _ = await register(
				{ name, host: "127.0.0.1", port },
				{ check: { kind: "tcp", interval, timeout: "1s" } },
			);
			await soon(() => passing(name)).toEqual([port]);
			await server.shutdown();
			await soon(() => passing(name)).toEqual([]);
		});

		test("by HTTP", async () => {
			const name = newName();
			await using sidecar = await HttpProxy.start();
			let status = 200;
			sidecar.interfere = (_, response) => {
				response.writeHead(status).end();
				return true;
			};
			const url = `http://${sidecar.address}/health`;
			await using _ = await register(
				{ name, port: 7 },
				{ check: { kind: "http", url, interval } },
			);
			await soon(() => sidecar.seen.at(-1)).toBe("GET /health");
			await soon(() => passing(name)).toEqual([7]);
			status = 503;
			await soon(() => passing(name)).toEqual([]);
		});
	});

	describe("in maintenance", () => {
		test("an instance stays registered and gets no calls", async () => {
			const name = newName();
			await using registration = await register({ name, port: 7 });
			await registration.setServing(false);
			await soon(() => passing(name)).toEqual([]);
			expect(await entries(name)).toHaveLength(1);
			await registration.setServing(true);
			await soon(() => passing(name)).toEqual([7]);
		});

		test("an instance stays in maintenance when the agent forgets it", async () => {
			const name = newName();
			const check = { kind: "ttl", ttl: "1s" } as const;
			await using registration = await register({ name, port: 7 }, { check });
			await registration.setServing(false);
			await consul.deregister(`${name}:10.0.0.1:7`);
			await soon(() => entries(name)).toEqual([]);
			await soon(async () => (await entries(name)).length).toBe(1);
			expect(await passing(name)).toEqual([]);
			await registration.setServing(true);
			await soon(() => passing(name)).toEqual([7]);
		});

		test("an instance can be put into maintenance although the agent has just forgotten it", async () => {
			const name = newName();
			await using registration = await register({ name, port: 7 });
			await consul.deregister(`${name}:10.0.0.1:7`);
			await registration.setServing(false);
			await soon(async () => (await entries(name)).length).toBe(1);
			expect(await passing(name)).toEqual([]);
		});
	});

	test.each([
		{ kind: "ttl", ttl: "1s" },
		{ kind: "http", url: "http://127.0.0.1:1/" },
	] as const)(
		"registers an instance again that somebody has deregistered, with a check of kind $kind",
		async (check) => {
			const name = newName();
			await using _ = await register({ name, port: 7 }, { check });
			await soon(async () => (await entries(name)).length).toBe(1);
			await consul.deregister(`${name}:10.0.0.1:7`);
			await soon(async () => (await entries(name)).length).toBe(0);
			await soon(async () => (await entries(name)).length).toBe(1);
		},
	);

	test.each([
		{ kind: "ttl", ttl: "1s" },
		{ kind: "http", url: "http://127.0.0.1:1/", interval: "3600s" },
	] as const)(
		"registers an instance again that has lost its check of kind $kind",
		async (check) => {
			const name = newName();
			await using _ = await register({ name, port: 7 }, { check });
			await soon(() => passing(name)).toEqual([7]);
			const checks = async (): Promise<string[]> =>
				(await entries(name)).flatMap(({ Checks }) =>
					Checks.map(({ CheckID }) => CheckID).filter((id) =>
						id.startsWith("service:"),
					),
				);
			const [id = ""] = await checks();
			await consul.ask(
				"PUT",
				`agent/check/deregister/${encodeURIComponent(id)}`,
			);
			await soon(checks).toEqual([]);
			await soon(checks).toEqual([id]);
		},
	);

	test("registers a critical instance again as critical, until the agent has checked it again", async () => {
		const name = newName();
		await using sidecar = await HttpProxy.start();
		let status = 503;
		sidecar.interfere = (_, response) => {
			response.writeHead(status).end();
			return true;
		};
		await using proxy = await HttpProxy.start(consul.address);
		const registered: string[] = [];
		proxy.interfere = (request) => {
			if (!request.url?.startsWith("/v1/agent/service/register")) return false;
			let body = "";
			request.on("data", (part) => {
				body += part;
			});
			request.on("end", () => registered.push(JSON.parse(body).Check.Status));
			return false;
		};
		const url = `http://${sidecar.address}/`;
		await using _ = await register(
			{ name, port: 7 },
			{ agent: proxy.address, check: { kind: "http", url, interval: "1s" } },
		);
		await soon(() => passing(name)).toEqual([]);
		const looks = (): number =>
			proxy.seen.filter((line) => line.includes("/agent/checks")).length;
		const before = looks();
		await soon(looks).toBeGreaterThan(before);
		// The agent does this by itself with an instance that is critical for a minute.
		await consul.deregister(`${name}:10.0.0.1:7`);
		await soon(() => registered).toEqual(["passing", "critical"]);
		status = 200;
		await soon(() => passing(name)).toEqual([7]);
	});

	describe("of two processes with one id", () => {
		const check = { kind: "ttl", ttl: "1s" } as const;

		test("the later one keeps it, and the earlier one reports that and does not change it", async () => {
			const name = newName();
			const first = await register({ name, port: 7, id: name }, { check });
			const told = [...errors];
			await using _ = await register({ name, port: 8, id: name }, { check });
			await soon(() => passing(name)).toEqual([8]);
			await soon(() => errors.length).toBe(1);
			expect(told).toEqual([]);
			expect(errors[0]).toBe(
				`another process has registered ${name} in Consul later, and keeps it until it deregisters, so that clients do not find 10.0.0.1:7; give each server an address or an id of its own`,
			);
			await first.setServing(false);
			await first[Symbol.asyncDispose]();
			expect(await passing(name)).toEqual([8]);
		});

		test("the earlier one registers again when the later one deregisters", async () => {
			const name = newName();
			await using first = await register(
				{ name, port: 7, id: name },
				{ check },
			);
			const second = await register({ name, port: 8, id: name }, { check });
			await soon(() => errors.length).toBe(1);
			await first.setServing(false);
			await second[Symbol.asyncDispose]();
			await soon(async () => (await entries(name))[0]?.Service.Port).toBe(7);
			expect(await passing(name)).toEqual([]);
			await first.setServing(true);
			await soon(() => passing(name)).toEqual([7]);
		});
	});

	describe("if two processes have one id and the later one is not healthy,", () => {
		const check = { kind: "ttl", ttl: "1s" } as const;
		const silent = { TTL: "10m", Status: "critical" };
		const ours = { "homing-registration": "another" };

		/** A registration whose id such an instance has taken, with its requests going through a proxy. */
		async function displacedBy(later: Partial<ServiceDefinition>) {
			const name = newName();
			const proxy = await HttpProxy.start(consul.address);
			const first = await register(
				{ name, port: 7, id: name },
				{ check, agent: proxy.address },
			);
			await consul.register({
				Name: name,
				ID: name,
				Address: "10.0.0.1",
				Port: 8,
				Meta: ours,
				...later,
				Check: { CheckID: `service:${name}:another`, ...later.Check },
			});
			const looks = () =>
				proxy.seen.filter((line) => line.startsWith("GET /v1/agent/service/"));
			return {
				name,
				port: async () => (await entries(name))[0]?.Service.Port,
				looks: () => looks().length,
				async [Symbol.asyncDispose]() {
					await first[Symbol.asyncDispose]();
					await proxy[Symbol.asyncDispose]();
				},
			};
		}

		test("the earlier one registers again if the later one's TTL has expired", async () => {
			await using it = await displacedBy({ Check: silent });
			await soon(it.port).toBe(7);
			expect(await passing(it.name)).toEqual([7]);
		});

		test.each<[string, Partial<ServiceDefinition>]>([
			["is not a server of homing", { Check: silent, Meta: {} }],
			[
				"is asked by the agent",
				{ Check: { TCP: "127.0.0.1:1", Interval: "1s", Status: "critical" } },
			],
			["has been heard", { Check: { ...silent, Status: "warning" } }],
		])("the earlier one stays away if the later one %s", async (_, later) => {
			await using it = await displacedBy(later);
			await soon(() => errors).toHaveLength(1);
			const before = it.looks();
			await soon(it.looks).toBeGreaterThan(before + 2);
			expect(await it.port()).toBe(8);
			expect(errors).toHaveLength(1);
		});

		test("the earlier one stays away if the later one is in maintenance", async () => {
			await using it = await displacedBy({
				Check: { ...silent, Status: "passing" },
			});
			await soon(() => errors).toHaveLength(1);
			await consul.ask(
				"PUT",
				`agent/service/maintenance/${it.name}?enable=true`,
			);
			await consul.ask("PUT", `agent/check/fail/service:${it.name}:another`);
			const before = it.looks();
			await soon(it.looks).toBeGreaterThan(before + 2);
			expect(await it.port()).toBe(8);
		});
	});

	test("that is refused leaves nothing registered with the agent", async () => {
		const name = newName();
		await using proxy = await HttpProxy.start(consul.address);
		proxy.interfere = (request, response) => {
			if (!request.url?.startsWith("/v1/agent/service/register")) return false;
			void (async () => {
				await consul.register((await json(request)) as ServiceDefinition);
				await soon(async () => (await entries(name)).length).toBe(1);
				response.writeHead(502).end("bad gateway");
			})();
			return true;
		};
		await expect(
			register({ name, port: 7 }, { agent: proxy.address }),
		).rejects.toThrow("with status 502: bad gateway");
		await soon(() => entries(name)).toEqual([]);
	});

	test("survives an onError that throws, which is printed", async () => {
		const name = newName();
		const thrown = new Error("of the hook");
		const printed = vi.spyOn(console, "error").mockImplementation(() => {});
		try {
			const onError = () => {
				throw thrown;
			};
			const check = { kind: "ttl", ttl: "1s" } as const;
			await using _ = await register(
				{ name, port: 7, id: name },
				{ check, onError },
			);
			const other = { Name: name, ID: name, Address: "10.0.0.1", Port: 8 };
			await consul.register(other);
			await soon(() => printed.mock.calls.flat()).toContain(thrown);
			await consul.deregister(name);
			await soon(() => passing(name)).toEqual([7]);
		} finally {
			printed.mockRestore();
		}
	});

	test("that is cancelled leaves nothing registered", async () => {
		const name = newName();
		await using proxy = await HttpProxy.start(consul.address);
		const giveUp = new AbortController();
		proxy.interfere = (request) => {
			if (!request.url?.startsWith("/v1/agent/service/register")) return false;
			// The agent gets the request, but its answer is dropped.
			void (async () => {
				await consul.register((await json(request)) as ServiceDefinition);
				await soon(async () => (await entries(name)).length).toBe(1);
				giveUp.abort(new Error("enough"));
			})();
			return true;
		};
		const registry = consulRegistry({ agent: proxy.address });
		const instance = { name, host: "10.0.0.1", port: 7 };
		await expect(registry.register(instance, giveUp.signal)).rejects.toThrow(
			"enough",
		);
		await soon(() => entries(name)).toEqual([]);
	});

	test("whose signal has already fired does not start", async () => {
		await using proxy = await HttpProxy.start(consul.address);
		const registry = consulRegistry({ agent: proxy.address });
		const aborted = AbortSignal.abort(new Error("no"));
		await expect(
			registry.register({ name: "a", port: 7 }, aborted),
		).rejects.toThrow("no");
		expect(proxy.seen).toEqual([]);
	});

	describe("refuses", () => {
		test.each<[Partial<Instance>, string]>([
			[{ name: "" }, "instance.name: "],
			[{ name: "a\tb" }, 'instance.name: "a\\tb" cannot be a name in Consul'],
			[{ id: ".." }, 'instance.id: ".." cannot be a name in Consul'],
			[{ id: "\ud800" }, "instance.id: "],
			[{ port: 0 }, 'instance.host: port "0" is not a number'],
			[{ host: "a b" }, 'instance.host: "a b" is not the name'],
			[{ id: "" }, "instance.id: "],
			[{ weight: 0 }, "instance.weight: 0 is not a whole number from 1 to"],
			[{ weight: 1.5 }, "instance.weight: 1.5 is not a whole number"],
			[{ tags: [""] }, "instance.tags[0]: "],
			[
				{ attributes: { "a.b": "" } },
				"instance.attributes.a.b: is a name that",
			],
			[{ attributes: { "consul-x": "" } }, "instance.attributes.consul-x: is"],
			[
				{ attributes: { "homing-registration": "" } },
				"instance.attributes.homing-registration: is a name that Consul does",
			],
			[
				{ attributes: { a: "x".repeat(513) } },
				"instance.attributes.a: is longer than 512 characters",
			],
			[
				{ zone: "x".repeat(513) },
				"instance.zone: is longer than 512 characters",
			],
			[
				{
					attributes: Object.fromEntries(
						Array.from({ length: 64 }, (_, n) => [`a${n}`, ""]),
					),
				},
				"instance.attributes: has more than 63 pairs",
			],
		])("an instance with %j: %s", async (fields, message) => {
			await expect(register({ name: "a", port: 7, ...fields })).rejects.toThrow(
				message,
			);
		});

		test.each<[object, string]>([
			[{ chek: {} }, "chek: is not an option; did you mean check?"],
			[{ check: {} }, "check.kind: undefined is not"],
			[{ check: { kind: "udp" } }, 'check.kind: "udp" is not "ttl" or "grpc"'],
			[{ check: { kind: "ttl", ttl: "0.5s" } }, "check.ttl: "],
			[{ check: { kind: "ttl", interval: "1s" } }, "check.interval: is not an"],
			[{ check: { kind: "http" } }, "check.url: is missing"],
			[{ check: { kind: "http", url: "a" } }, 'check.url: "a" is not an HTTP'],
			[
				{ check: { kind: "tcp", interval: 0 } },
				"check.interval: 0 is not more",
			],
			[{ deregisterAfter: "59s" }, 'deregisterAfter: "59s" is less than a min'],
			[{ onError: 5 }, "onError: 5 is not a function"],
		])("the option %j: %s", (options, message) => {
			expect(() => consulRegistry(options)).toThrow(message);
		});
	});

	test("reports that the agent cannot be reached", async () => {
		await expect(
			register({ name: "a", port: 7 }, { agent: "127.0.0.1:1" }),
		).rejects.toMatchObject({
			problem: "unreachable",
			message:
				"cannot reach the Consul agent at http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1",
		});
	});
});

describe.skipIf(consulMissing)("with ACLs, a Consul registry", () => {
	test("needs a token that may write the service", async () => {
		await using consul = await ConsulAgent.start({ acl: true });
		const agent = consul.address;
		const instance = { name: "a", host: "10.0.0.1", port: 7 };
		const failed: DiscoveryError = await consulRegistry({ agent })
			.register(instance, never)
			.then(
				() => expect.fail(),
				(error) => error,
			);
		expect(failed.problem).toBe("forbidden");
		expect(failed.message).toMatch(
			/answered PUT \/v1\/agent\/service\/register with status 403: Permission denied.*; set a token that may do this/,
		);
		const token = await consul.token('service "a" { policy = "write" }');
		const registry = consulRegistry({ agent, token });
		const registration = await registry.register(instance, never);
		const known = () =>
			consul.ask<unknown[]>("GET", "health/service/a?passing");
		await soon(async () => (await known()).length).toBe(1);
		await registration.setServing(false);
		await soon(async () => (await known()).length).toBe(0);
		await registration[Symbol.asyncDispose]();
		expect(await consul.ask("GET", "agent/services")).toEqual({});
	});
});
