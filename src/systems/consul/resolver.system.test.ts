import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
	ConsulAgent,
	consulMissing,
	type ServiceDefinition,
} from "../../../testdata/harness/consul-agent.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import { makeIdentity } from "../../../testdata/peers/node/certificates.ts";
import { OptionError } from "../../checks/option-error.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { type ConsulResolverOptions, consulResolver } from "./resolver.ts";

/** An environment without variables of this machine. */
const environment = {};

function watching(
	options: Partial<ConsulResolverOptions> & { service: string },
): Watching {
	return new Watching(consulResolver(options, { environment }));
}

/** Returns the reason of an empty resolution, or the error of a failed watch. */
async function problemOf(
	options: Partial<ConsulResolverOptions> & { service: string },
): Promise<string> {
	await using watch = watching(options);
	const failed = watch.ended.then((error) => error as DiscoveryError);
	const seen = watch
		.until(() => watch.seen.length > 0)
		.then(() => watch.seen[0]?.reason as DiscoveryError | undefined);
	const error = await Promise.race([failed, seen]);
	return `${error?.problem}: ${error?.message}`;
}

test.each<[object, string]>([
	[{}, "service: is missing"],
	[{ service: "" }, "service: "],
	[{ service: "a\nb" }, 'service: "a\\nb" cannot be a name in Consul'],
	[{ service: "a\u00a0b" }, "service: "],
	[{ service: "." }, "service: "],
	[{ service: "a", config: "b\0" }, "config: "],
	[{ service: "a", consistency: "fresh" }, 'consistency: "fresh" is not'],
	[{ service: "a", datacenter: "" }, "datacenter: "],
	[{ service: "a", dc: "b" }, "dc: is not an option"],
])("the option %j of a Consul resolver is refused: %s", (options, message) => {
	const make = () => consulResolver(options as ConsulResolverOptions);
	expect(make).toThrow(OptionError);
	expect(make).toThrow(message);
});

describe.skipIf(consulMissing)("a Consul resolver", () => {
	let consul: ConsulAgent;
	let names = 0;
	beforeAll(async () => {
		consul = await ConsulAgent.start();
	});
	afterAll(() => consul[Symbol.asyncDispose]());

	/** Returns the name of a new service. */
	const newName = (): string => {
		names += 1;
		return `service-${names}`;
	};

	/** Registers instances of a new service with the ports 1, 2 and so on, and returns its name. */
	async function serviceOf(
		...instances: readonly Partial<ServiceDefinition>[]
	): Promise<string> {
		const name = newName();
		for (const [index, instance] of instances.entries()) {
			await add(name, { Port: index + 1, ...instance });
		}
		return name;
	}

	async function add(
		name: string,
		instance: Partial<ServiceDefinition> & { Port: number },
	): Promise<void> {
		await consul.register({
			Name: name,
			ID: `${name}:${instance.Port}`,
			Address: "10.0.0.1",
			...instance,
		});
	}

	const critical = { TTL: "1h" };

	test("yields the instances, and each change at once", async () => {
		const service = await serviceOf({}, {});
		await using watch = watching({ service, agent: consul.address });
		await watch.until(() => watch.addresses?.length === 2);
		expect(watch.addresses?.toSorted()).toEqual(["10.0.0.1:1", "10.0.0.1:2"]);
		await add(service, { Port: 3 });
		await watch.until(() => watch.addresses?.length === 3);
		await consul.deregister(`${service}:1`);
		await watch.until(() => watch.addresses?.length === 2);
		expect(watch.addresses?.toSorted()).toEqual(["10.0.0.1:2", "10.0.0.1:3"]);
	});

	test("leaves out instances whose checks do not pass, until they do", async () => {
		const service = await serviceOf({}, { Check: critical });
		await using watch = watching({ service, agent: consul.address });
		await watch.until(() => watch.seen.length === 1);
		expect(watch.addresses).toEqual(["10.0.0.1:1"]);
		await consul.ask("PUT", `agent/check/pass/service:${service}:2`);
		await watch.until(() => watch.addresses?.length === 2);
		await consul.ask("PUT", `agent/check/warn/service:${service}:2`);
		await watch.until(() => watch.addresses?.length === 1);
	});

	test("reads weights, zones, Meta and tags", async () => {
		const service = await serviceOf({
			Weights: { Passing: 7, Warning: 1 },
			Meta: { zone: "eu-1a", version: "2", "homing-registration": "x" },
			Tags: ["stage:canary", "fast", "version:1", "zone:eu-1b"],
		});
		await using watch = watching({ service, agent: consul.address });
		await watch.until(() => watch.seen.length > 0);
		expect(watch.seen[0]?.endpoints).toEqual([
			{
				address: "10.0.0.1:1",
				weight: 7,
				zone: "eu-1a",
				attributes: {
					stage: "canary",
					fast: "",
					version: "2",
					zone: "eu-1a",
				},
			},
		]);
	});

	test("uses the node's address for an instance without one, and brackets IPv6", async () => {
		const service = await serviceOf({ Address: "" }, { Address: "::1" });
		await using watch = watching({ service, agent: consul.address });
		await watch.until(() => watch.addresses?.length === 2);
		expect(watch.addresses?.toSorted()).toEqual(["127.0.0.1:1", "[::1]:2"]);
	});

	test("leaves out instances without a port or an address, and reports each once", async () => {
		const service = await serviceOf({}, { Port: 0 }, { Address: "no host!" });
		await using watch = watching({ service, agent: consul.address });
		await watch.until(() => watch.seen.length > 0);
		await add(service, { Port: 9 });
		await watch.until(() => watch.addresses?.length === 2);
		expect(watch.reported.map(({ message }) => message).toSorted()).toEqual([
			expect.stringMatching(
				`an instance of ${service} in Consul cannot be reached and is left out: ${service}:0: port "0"`,
			),
			expect.stringMatching(`${service}:3: "no host!" is not the name`),
		]);
		await consul.deregister(`${service}:3`);
		const known = () =>
			consul.ask<unknown[]>("GET", `catalog/service/${service}`);
		await expect.poll(known, { timeout: 15_000 }).toHaveLength(3);
		await add(service, { Port: 10 });
		await watch.until(() => watch.addresses?.length === 3);
		await add(service, { Port: 3, Address: "no host!" });
		await watch.until(() => watch.reported.length === 3);
		expect(watch.reported[2]?.message).toMatch(`${service}:3: "no host!" is`);
	});

	test("applies the filter", async () => {
		const service = await serviceOf({ Tags: ["v1"] }, { Tags: ["v2"] });
		const filter = '"v2" in Service.Tags';
		await using watch = watching({ service, agent: consul.address, filter });
		await watch.until(() => watch.seen.length > 0);
		expect(watch.addresses).toEqual(["10.0.0.1:2"]);
	});

	test.each([
		{ consistency: "stale" },
		{ consistency: "consistent" },
		{ near: "_agent" },
		{ datacenter: "dc1" },
	] as const)("sends the parameters of %o", async (options) => {
		const service = await serviceOf({});
		await using watch = watching({
			service,
			agent: consul.address,
			...options,
		});
		await watch.until(() => watch.addresses?.length === 1);
		await add(service, { Port: 2 });
		await watch.until(() => watch.addresses?.length === 2);
	});

	test("reads the service config from a key, and follows each change of it", async () => {
		const service = await serviceOf({});
		const config = `config/${service} äö`;
		const put = (value: unknown) =>
			consul.ask("PUT", `kv/${encodeURI(config)}`, value);
		const ring = { loadBalancingConfig: [{ ring_hash: {} }] };
		await put(ring);
		await using watch = watching({ service, agent: consul.address, config });
		await watch.until(() => watch.seen.length > 0);
		expect(watch.seen[0]).toMatchObject({
			endpoints: [{ address: "10.0.0.1:1" }],
			serviceConfig: ring,
		});
		const first = { loadBalancingConfig: [{ pick_first: {} }] };
		await put(first);
		await watch.until(() => watch.seen.length === 2);
		expect(watch.seen.at(-1)).toMatchObject({ serviceConfig: first });
		await put("{ nonsense");
		await watch.until(() => watch.reported.length === 1);
		expect(watch.reported[0]?.message).toMatch(
			`the service config in the key ${config} of Consul is invalid and ignored (the last valid one, if any, stays in force): it is not JSON`,
		);
		await add(service, { Port: 2 });
		await watch.until(() => watch.addresses?.length === 2);
		expect(watch.seen.at(-1)).toMatchObject({ serviceConfig: first });
		await consul.ask("DELETE", `kv/${encodeURI(config)}`);
		await watch.until(() => watch.reported.length === 2);
		await watch.until(() => watch.seen.at(-1)?.serviceConfig === undefined);
	});

	test("ignores a slash at the start of a key", async () => {
		const service = await serviceOf({});
		await consul.ask("PUT", `kv/config/${service}`, {});
		const config = `/config/${service}`;
		await using watch = watching({ service, agent: consul.address, config });
		await watch.until(() => watch.seen.length > 0);
		expect(watch.seen[0]?.serviceConfig).toEqual({});
		expect(watch.reported).toEqual([]);
	});

	test("works without a service config that is invalid from the start, and reports it", async () => {
		const service = await serviceOf({});
		const config = `config/${service}`;
		await consul.ask("PUT", `kv/${config}`, {
			loadBalancingConfig: [{ unheard_of: {} }],
		});
		await using watch = watching({ service, agent: consul.address, config });
		await watch.until(() => watch.seen.length > 0);
		expect(watch.seen).toEqual([
			{ endpoints: [expect.objectContaining({ address: "10.0.0.1:1" })] },
		]);
		expect(watch.reported[0]?.message).toMatch(
			`the service config in the key ${config} of Consul is invalid`,
		);
	});

	test("works without a service config that does not exist, reports it, and uses it when it comes", async () => {
		const service = await serviceOf({});
		const config = `config/${service}`;
		await using watch = watching({ service, agent: consul.address, config });
		await watch.until(() => watch.seen.length > 0);
		expect(watch.addresses).toEqual(["10.0.0.1:1"]);
		expect(watch.reported[0]?.message).toMatch(
			`has no key "${config}", so clients use no service config from it`,
		);
		await consul.ask("PUT", `kv/${config}`, {});
		await watch.until(() => watch.seen.at(-1)?.serviceConfig !== undefined);
	});

	describe("says why there are no endpoints:", () => {
		test("the service does not exist", async () => {
			const agent = consul.address;
			expect(await problemOf({ service: "nobody", agent })).toBe(
				`unknownService: the Consul agent at http://${agent} knows no service "nobody"; check the name, and whether a server is registered`,
			);
		});

		test("no instance is healthy, with their number", async () => {
			const service = await serviceOf(
				{ Check: critical },
				{ Check: critical },
				{ Check: { ...critical, Status: "warning" } },
				{},
			);
			await consul.ask(
				"PUT",
				`agent/service/maintenance/${service}:4?enable=true`,
			);
			await expect
				.poll(() => problemOf({ service, agent: consul.address }), {
					timeout: 15_000,
				})
				.toBe(
					`noHealthyInstance: the Consul agent at http://${consul.address} knows 4 instances of "${service}", but none can take calls: 1 in maintenance, 2 critical, 1 warning`,
				);
		});

		test("no instance matches the filter", async () => {
			const service = await serviceOf({});
			expect(
				await problemOf({
					service,
					agent: consul.address,
					filter: '"v3" in Service.Tags',
				}),
			).toMatch(
				`noHealthyInstance: the Consul agent at http://${consul.address} knows 1 healthy instances of "${service}", but none of them matches the filter "\\"v3\\" in Service.Tags"`,
			);
		});

		test("and then yields the instances when they come", async () => {
			const service = newName();
			await using watch = watching({ service, agent: consul.address });
			await watch.until(() => watch.seen[0]?.reason !== undefined);
			await add(service, { Port: 1, Check: critical });
			await watch.until(() =>
				/none can take calls: 1 critical/.test(
					watch.seen.at(-1)?.reason?.message ?? "",
				),
			);
			await consul.ask("PUT", `agent/check/pass/service:${service}:1`);
			await watch.until(() => watch.addresses?.length === 1);
			expect(watch.seen.at(-1)?.reason).toBeUndefined();
		});

		test("the datacenter does not exist", async () => {
			const service = await serviceOf({});
			const agent = consul.address;
			expect(await problemOf({ service, agent, datacenter: "mars" })).toMatch(
				`unreachable: the Consul agent at http://${agent} answered GET /v1/health/service/${service} with status 500: No path to datacenter`,
			);
		});

		test("the filter is invalid", async () => {
			const agent = consul.address;
			expect(await problemOf({ service: "a", agent, filter: "(" })).toMatch(
				/^badAnswer: .* with status 500: Failed to create boolean expression/,
			);
		});

		test("the agent cannot be reached", async () => {
			const agent = "127.0.0.1:1";
			expect(await problemOf({ service: "a", agent })).toBe(
				"unreachable: cannot reach the Consul agent at http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1",
			);
		});
	});

	test("ends its query at once when the signal fires", async () => {
		const service = await serviceOf({});
		const watch = watching({ service, agent: consul.address });
		await watch.until(() => watch.seen.length > 0);
		const startedAt = performance.now();
		await watch[Symbol.asyncDispose]();
		expect(performance.now() - startedAt).toBeLessThan(1000);
	});
});

describe.skipIf(consulMissing)("the Consul agent is reached", () => {
	const authority = makeIdentity({ commonName: "authority" });
	const hosts = ["localhost", "127.0.0.1"];
	const identity = makeIdentity({
		commonName: "agent",
		hosts,
		issuer: authority,
	});
	const us = makeIdentity({ commonName: "us", issuer: authority });
	let consul: ConsulAgent;
	beforeAll(async () => {
		consul = await ConsulAgent.start({
			tls: { identity, clients: authority },
			socket: true,
		});
		await consul.register({ Name: "a", Address: "10.0.0.1", Port: 1 });
	});
	afterAll(() => consul[Symbol.asyncDispose]());

	async function found(
		options: Partial<ConsulResolverOptions>,
		environment: Record<string, string> = {},
	): Promise<unknown> {
		const resolver = consulResolver(
			{ service: "a", ...options },
			{ environment },
		);
		await using watch = new Watching(resolver);
		await Promise.race([watch.ended, watch.until(() => watch.seen.length > 0)]);
		const [seen] = watch.seen;
		return seen ? watch.addresses : ((await watch.ended) as Error).message;
	}

	test("over a Unix socket", async () => {
		expect(await found({ agent: `unix:${consul.socket}` })).toEqual([
			"10.0.0.1:1",
		]);
		expect(
			await found({}, { CONSUL_HTTP_ADDR: `unix://${consul.socket}` }),
		).toEqual(["10.0.0.1:1"]);
	});

	test("over TLS, with a client certificate", async () => {
		const tls = {
			ca: authority.certificate,
			cert: us.certificate,
			key: us.key,
		};
		const agent = consul.secureAddress;
		expect(await found({ agent, tls })).toEqual(["10.0.0.1:1"]);
		expect(
			await found({ agent: `https://${agent}`, tls: async () => tls }),
		).toEqual(["10.0.0.1:1"]);
		expect(await found({ agent, tls: { ca: authority.certificate } })).toMatch(
			/cannot reach the Consul agent at https:.*certificate/,
		);
		expect(await found({ agent, tls: true })).toMatch(
			/cannot reach the Consul agent at https:.*(verify|self.signed|certificate)/,
		);
	});

	test("over HTTP although it requires TLS, with an error that says so", async () => {
		expect(await found({ agent: consul.secureAddress })).toMatch(
			"Client sent an HTTP request to an HTTPS server",
		);
	});

	test("as the environment says", async () => {
		expect(await found({}, { CONSUL_HTTP_ADDR: consul.address })).toEqual([
			"10.0.0.1:1",
		]);
	});

	test("over TLS as the environment says, with a directory of authorities", async () => {
		const directory = await mkdtemp(join(tmpdir(), "homing-consul-ca-"));
		try {
			const authorities = join(directory, "authorities");
			await mkdir(authorities);
			const stranger = makeIdentity({ commonName: "stranger" });
			for (const [name, pem] of Object.entries({
				"cert.pem": us.certificate,
				"key.pem": us.key,
				"authorities/a.pem": stranger.certificate,
				"authorities/b.pem": authority.certificate,
			})) {
				await writeFile(join(directory, name), pem);
			}
			const environment = {
				CONSUL_HTTP_ADDR: consul.secureAddress,
				CONSUL_HTTP_SSL: "true",
				CONSUL_CAPATH: authorities,
				CONSUL_CLIENT_CERT: join(directory, "cert.pem"),
				CONSUL_CLIENT_KEY: join(directory, "key.pem"),
			};
			expect(await found({}, environment)).toEqual(["10.0.0.1:1"]);
			const missing = { ...environment, CONSUL_CAPATH: `${directory}/none` };
			expect(await found({}, missing)).toMatch(
				/^cannot reach the Consul agent at https:\S+: CONSUL_CAPATH: ".*none" cannot be read: ENOENT/,
			);
		} finally {
			await rm(directory, { recursive: true });
		}
	});
});

describe.skipIf(consulMissing)("a Consul agent with ACLs", () => {
	let consul: ConsulAgent;
	beforeAll(async () => {
		consul = await ConsulAgent.start({ acl: true });
		await consul.register({ Name: "a", Address: "10.0.0.1", Port: 1 });
	});
	afterAll(() => consul[Symbol.asyncDispose]());

	test("shows the instances that the token may read, and says what it may not read", async () => {
		const token = await consul.token(
			'service "a" { policy = "read" } node_prefix "" { policy = "read" }',
		);
		const agent = consul.address;
		await using watch = watching({ service: "a", agent, token });
		await watch.until(() => watch.addresses?.length === 1);
		expect(await problemOf({ service: "a", agent })).toBe(
			`forbidden: the Consul agent at http://${agent} shows no instance of "a" without a token; give one (\`token\`, or CONSUL_HTTP_TOKEN), whose policy must allow service:read of "a", and node:read`,
		);
		const other = await consul.token('service "b" { policy = "read" }');
		expect(await problemOf({ service: "a", agent, token: other })).toBe(
			`forbidden: the Consul agent at http://${agent} shows no instance of "a" to this token; its policy must allow service:read of "a", and node:read`,
		);
		expect(await problemOf({ service: "b", agent, token: other })).toMatch(
			"unknownService: ",
		);
		const config = "config/a";
		await using unread = watching({ service: "a", agent, token, config });
		await unread.until(() => unread.seen.length > 0);
		expect(unread.addresses).toEqual(["10.0.0.1:1"]);
		expect(unread.reported[0]).toMatchObject({
			problem: "forbidden",
			message: expect.stringMatching(
				/answered GET \/v1\/kv\/config\/a with status 403: .*; set a token that may do this/,
			),
		});
	});

	test("refuses a token that was deleted", async () => {
		const agent = consul.address;
		const token = crypto.randomUUID();
		expect(await problemOf({ service: "a", agent, token })).toMatch(
			/^forbidden: .*answered GET \/v1\/health\/service\/a with status 403: ACL not found; the agent does not know this token/,
		);
	});

	test("gets the current token with each query", async () => {
		const agent = consul.address;
		const given = [crypto.randomUUID(), consul.management];
		const token = async () => given.shift() as string;
		const options = { service: "a", agent, token };
		expect(await problemOf(options)).toMatch(/^forbidden/);
		await using watch = watching(options);
		await watch.until(() => watch.addresses?.length === 1);
	});
});
