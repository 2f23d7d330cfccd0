import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
	ConsulAgent,
	consulMissing,
} from "../../testdata/harness/consul-agent.ts";
import { EtcdServer, etcdMissing } from "../../testdata/harness/etcd-server.ts";
import { freePort } from "../../testdata/harness/free-port.ts";
import { KubernetesApi } from "../../testdata/harness/kubernetes-api.ts";
import { slice } from "../../testdata/harness/slice-object.ts";
import { NewEchoServiceClient } from "../../testdata/services/gen/echo/echo_rpc.ts";
import type { Resolver } from "../discovery/resolver.ts";
import { consulResolver } from "./consul/resolver.ts";
import { DiscoveryError, type DiscoveryProblem } from "./discovery-error.ts";
import { etcdResolver } from "./etcd/resolver.ts";
import { kubernetesResolver } from "./kubernetes/resolver.ts";

/** A discovery system with a service "sick" that has no healthy instance. */
interface System extends AsyncDisposable {
	/** "host:port" */
	readonly address: string;
	/** Makes a resolver that may read the service. */
	resolver(service: string): Resolver;
	/** Makes a resolver without credentials. */
	stranger(service: string): Resolver;
	/** Returns the string target of a service, with another address of the system. */
	target(address: string, service: string): string;
	kill(): Promise<void>;
}

async function consul(): Promise<System> {
	const agent = await ConsulAgent.start({ acl: true });
	const { address, management: token } = agent;
	const check = { TTL: "60s", Status: "critical" };
	await agent.register({
		Name: "sick",
		Address: "127.0.0.1",
		Port: 1,
		Check: check,
	});
	return {
		address,
		resolver: (service) => consulResolver({ service, agent: address, token }),
		stranger: (service) => consulResolver({ service, agent: address }),
		target: (address, service) => `consul://${address}/${service}`,
		kill: () => agent.kill(),
		[Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
	};
}

async function etcd(): Promise<System> {
	const server = await EtcdServer.start({ auth: true });
	const { address, hosts } = server;
	const value = JSON.stringify({
		network: "tcp",
		address: "127.0.0.1:1",
		weight: 0,
	});
	await server.put("sick/a", value);
	const login = { user: "root", password: "root", insecureCredentials: true };
	return {
		address,
		resolver: (prefix) => etcdResolver({ prefix, hosts, ...login }),
		stranger: (prefix) => etcdResolver({ prefix, hosts }),
		target: (address, prefix) => `etcd://${address}/${prefix}`,
		kill: () => server.killAll(),
		[Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
	};
}

async function kubernetes(): Promise<System> {
	const api = await KubernetesApi.start();
	const sick = { addresses: ["127.0.0.1"], conditions: { ready: false } };
	api.put(slice("sick-1", [sick], { service: "sick" }));
	const at = (service: string) =>
		kubernetesResolver({ service, namespace: "shop", apiServer: api.origin });
	return {
		address: `127.0.0.1:${api.port}`,
		resolver: (service) => at(service),
		stranger: (service) => {
			api.faults.list = { status: 403, message: "no" };
			return at(service);
		},
		target: (address, service) => `kubernetes://${address}/${service}.shop`,
		kill: () => api.kill(),
		[Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
	};
}

/** Returns the DiscoveryError with which a call fails. */
async function failure(target: Resolver | string): Promise<{
	readonly problem: DiscoveryProblem | undefined;
	readonly message: string;
}> {
	await using echo = NewEchoServiceClient(target);
	const error = await Promise.resolve(
		echo.echo({}, { timeoutMs: 20_000 }),
	).then(
		() => new ConnectError("it went well"),
		(error: unknown) => ConnectError.from(error),
	);
	expect(error.message).toMatch(/^\[unavailable\] /);
	expect(error.code).toBe(Code.Unavailable);
	let cause: unknown = error;
	while (cause instanceof Error && !(cause instanceof DiscoveryError)) {
		cause = cause.cause;
	}
	const { problem } = (cause as DiscoveryError | undefined) ?? {};
	return { problem, message: error.rawMessage };
}

describe.each([
	["Consul", consulMissing, consul],
	["etcd", etcdMissing, etcd],
	["Kubernetes", undefined, kubernetes],
])("a call of a service in %s", (_, missing, start) => {
	describe.skipIf(missing)("fails with an error that says", () => {
		let system: System;
		beforeAll(async () => {
			system = await start();
		});
		afterAll(() => system?.[Symbol.asyncDispose]());

		test("that the service does not exist", async () => {
			const { problem, message } = await failure(system.resolver("nobody"));
			expect({ problem, message }).toMatchObject({ problem: "unknownService" });
			expect(message).toContain("nobody");
		});

		test("that no instance of the service is healthy", async () => {
			const { problem, message } = await failure(system.resolver("sick"));
			expect({ problem, message }).toMatchObject({
				problem: "noHealthyInstance",
			});
			expect(message).toContain("sick");
		});

		test("that reading the service is forbidden", async () => {
			const { problem, message } = await failure(system.stranger("sick"));
			expect({ problem, message }).toMatchObject({ problem: "forbidden" });
			expect(message).toContain(system.address);
		});

		test("that the system cannot be reached, also for a string target", async () => {
			const nowhere = `127.0.0.1:${await freePort()}`;
			const never = await failure(system.target(nowhere, "sick"));
			expect(never).toMatchObject({ problem: "unreachable" });
			expect(never.message).toContain(nowhere);
			expect(never.message).toContain("ECONNREFUSED");
			const resolver = system.resolver("sick");
			await system.kill();
			const killed = await failure(resolver);
			expect(killed).toMatchObject({ problem: "unreachable" });
			expect(killed.message).toContain(system.address);
		});
	});
});
