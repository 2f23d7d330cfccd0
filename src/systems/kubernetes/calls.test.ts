import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { KubernetesApi } from "../../../testdata/harness/kubernetes-api.ts";
import { slice } from "../../../testdata/harness/slice-object.ts";
import { makeIdentity } from "../../../testdata/peers/node/certificates.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { ClientOptions } from "../../client/options/client-options.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import { Server } from "../../server/server.ts";
import { kubernetesResolver } from "./resolver.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

async function apiServer(): Promise<KubernetesApi> {
	const api = await KubernetesApi.start();
	after.push(() => api[Symbol.asyncDispose]());
	return api;
}

/** A pod: a server that answers with its name, and its slice. */
async function pod(api: KubernetesApi, name: string, zone?: string) {
	const server = new Server();
	server.add(EchoService, { echo: () => ({ resp: name }) });
	const { address, port } = await server.listen("127.0.0.1:0");
	after.push(() => server.shutdown({ graceMs: 0 }));
	const put = (conditions: object) =>
		api.put(
			slice(
				`payment-${name}`,
				[
					{
						addresses: ["127.0.0.1"],
						conditions,
						targetRef: { kind: "Pod", name },
						...(zone && { zone }),
					},
				],
				{ ports: [{ name: "grpc", port }] },
			),
		);
	put({ ready: true });
	return {
		server,
		address,
		ready: () => put({ ready: true }),
		drain: () => put({ ready: false, serving: true, terminating: true }),
		gone: () => api.delete(`payment-${name}`),
	};
}

function client(
	api: KubernetesApi,
	options: ClientOptions = {},
): EchoServiceClient {
	const resolver = kubernetesResolver({
		service: "payment",
		namespace: "shop",
		port: "grpc",
		apiServer: api.origin,
	});
	const made = NewEchoServiceClient(resolver, {
		balancer: "round_robin",
		...options,
	});
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

/** Makes ten calls, none of which may fail, and returns the names of the pods. */
async function answering(echo: EchoServiceClient): Promise<string> {
	const names = new Set<string>();
	for (let n = 0; n < 10; n++) names.add((await echo.echo({})).resp);
	return [...names].sort().join(" ");
}

const soon = { timeout: 10_000 };

describe("calls", () => {
	test("go to the pods that are ready, as they come and go", async () => {
		const api = await apiServer();
		const a = await pod(api, "a");
		const echo = client(api);
		expect(await answering(echo)).toBe("a");
		const b = await pod(api, "b");
		await expect.poll(() => answering(echo), soon).toBe("a b");
		a.drain();
		await expect.poll(() => answering(echo), soon).toBe("b");
		a.ready();
		await expect.poll(() => answering(echo), soon).toBe("a b");
		b.gone();
		await b.server.shutdown({ graceMs: 0 });
		await expect.poll(() => answering(echo), soon).toBe("a");
	});

	test("do not fail when a pod ends before its slice says so", async () => {
		const api = await apiServer();
		const pods = await Promise.all(
			["a", "b", "c"].map((name) => pod(api, name)),
		);
		const echo = client(api);
		await expect.poll(() => answering(echo), soon).toBe("a b c");
		let over = false;
		const callers = Array.from({ length: 8 }, async () => {
			while (!over) await echo.echo({});
		});
		for (const [n, { server, gone }] of pods.entries()) {
			await pod(api, `new-${n}`);
			await server.shutdown();
			await new Promise((resolve) => setTimeout(resolve, 100));
			gone();
		}
		await expect.poll(() => answering(echo), soon).toBe("new-0 new-1 new-2");
		over = true;
		// Rejects with the error of the first failed call.
		await Promise.all(callers);
	});

	test("go to terminating pods while no other pod is ready", async () => {
		const api = await apiServer();
		const a = await pod(api, "a");
		a.drain();
		expect(await answering(client(api))).toBe("a");
	});

	test("go to a new pod within 200 ms of its slice", async () => {
		const api = await apiServer();
		await pod(api, "a");
		const echo = client(api);
		await answering(echo);
		const times: number[] = [];
		for (const name of ["b", "c", "d"]) {
			await new Promise((resolve) => setTimeout(resolve, 150));
			await pod(api, name);
			const began = performance.now();
			while ((await echo.echo({})).resp !== name) {
				if (performance.now() - began > 5000) throw new Error("never");
			}
			times.push(performance.now() - began);
		}
		expect(Math.min(...times)).toBeLessThan(200);
	});

	test("stay in their zone", async () => {
		const api = await apiServer();
		await pod(api, "near", "eu-1a");
		await pod(api, "far", "eu-1b");
		const echo = client(api, { localZone: "eu-1a" });
		await answering(echo);
		await expect.poll(() => answering(echo), soon).toBe("near");
	});

	test("go on while the API server is down, and go to the changed endpoints after it is back", async () => {
		const api = await apiServer();
		const a = await pod(api, "a");
		const errors: Error[] = [];
		const endpoints: (readonly Endpoint[])[] = [];
		const echo = client(api, {
			hooks: {
				resolved: (resolution) => {
					if ("error" in resolution) errors.push(resolution.error);
					else endpoints.push(resolution.endpoints);
				},
			},
		});
		expect(await answering(echo)).toBe("a");
		await api.kill();
		await expect.poll(() => errors.length, soon).toBeGreaterThan(0);
		expect(await answering(echo)).toBe("a");
		a.gone();
		await pod(api, "b");
		await api.restart();
		await expect.poll(() => answering(echo), soon).toBe("b");
		expect(endpoints.every((some) => some.length > 0)).toBe(true);
		expect(errors[0]?.message).toContain(
			"cannot reach the Kubernetes API server",
		);
	});

	test("go on when all slices are deleted, and go to new endpoints when they come", async () => {
		const api = await apiServer();
		const a = await pod(api, "a");
		const errors: string[] = [];
		const echo = client(api, {
			hooks: {
				resolved: (resolution) => {
					if ("error" in resolution) errors.push(resolution.error.message);
				},
			},
		});
		expect(await answering(echo)).toBe("a");
		a.gone();
		await expect
			.poll(() => errors, soon)
			.toEqual([expect.stringContaining("no EndpointSlice in namespace shop")]);
		expect(await answering(echo)).toBe("a");
		await pod(api, "b");
		await expect.poll(() => answering(echo), soon).toBe("b");
	});

	test("fail at once with the reason when there are no endpoints, and succeed when there are", async () => {
		const api = await apiServer();
		const echo = client(api);
		const words = async () => {
			const error = await Promise.resolve(echo.echo({})).then(
				() => undefined,
				ConnectError.from,
			);
			return error?.message;
		};
		expect(await words()).toContain(
			"no EndpointSlice in namespace shop has the label kubernetes.io/service-name=payment",
		);
		api.put(slice("payment-x", [], { ports: null }));
		await expect
			.poll(words, soon)
			.toContain("service payment.shop has no endpoints");
		await pod(api, "a");
		await expect.poll(words, soon).toBeUndefined();
	});

	test("go on among 5,000 endpoints with 200 changes in a second, which lead to only a few updates", {
		timeout: 60_000,
	}, async () => {
		const api = await apiServer();
		const port = Number((await pod(api, "a")).address.split(":")[1]);
		const state = (index: number, change: number) =>
			slice(
				`payment-of-${String(index).padStart(2, "0")}`,
				Array.from({ length: 100 }, (_, n) => ({
					addresses: [`127.1.${index}.${n}`],
					conditions: { ready: n !== change },
				})),
				{ ports: [{ name: "grpc", port }] },
			);
		for (let index = 0; index < 50; index++) api.put(state(index, -1));
		const states: (readonly Endpoint[])[] = [];
		const echo = client(api, {
			// Each other endpoint would get a connection.
			balancer: "pick_first",
			hooks: {
				resolved: (resolution) => {
					if (!("error" in resolution)) states.push(resolution.endpoints);
				},
			},
		});
		expect(await answering(echo)).toBe("a");
		expect(states.map(({ length }) => length)).toEqual([5001]);
		await expect.poll(() => api.watching).toBe(1);
		const began = performance.now();
		let calls = 0;
		for (let change = 0; change < 200; change++) {
			api.put(state(change % 50, change % 100));
			const next = began + (change + 1) * 5;
			do {
				expect((await echo.echo({})).resp).toBe("a");
				calls += 1;
			} while (performance.now() < next);
		}
		const seconds = (performance.now() - began) / 1000;
		const hosts = (some: readonly Endpoint[] = []) =>
			some.map(({ address }) => String(address).split(":")[0]).sort();
		const wanted = Array.from({ length: 50 }, (_, index) =>
			Array.from({ length: 100 }, (_, n) => `127.1.${index}.${n}`).filter(
				(_, n) => n !== (index + 150) % 100,
			),
		);
		await expect
			.poll(() => hosts(states.at(-1)), soon)
			.toEqual(["127.0.0.1", ...wanted.flat()].sort());
		expect(states.length).toBeLessThan(5 + seconds * 11);
		expect(api.requests).toHaveLength(2);
		expect(calls).toBeGreaterThanOrEqual(200);
	});
});

describe("the string target", () => {
	test("kubernetes://host:port/service.namespace:port is all that a program needs", async () => {
		const authority = makeIdentity({ commonName: "cluster authority" });
		const hosts = ["127.0.0.1"];
		const identity = makeIdentity({
			commonName: "api",
			hosts,
			issuer: authority,
		});
		const api = await KubernetesApi.start({ identity });
		after.push(() => api[Symbol.asyncDispose]());
		await pod(api, "a");
		const directory = mkdtempSync(join(tmpdir(), "homing-kubernetes-"));
		after.push(() => rmSync(directory, { recursive: true }));
		const ca = join(directory, "ca.crt");
		writeFileSync(ca, authority.certificate);
		const here = (file: string) =>
			JSON.stringify(new URL(file, import.meta.url).href);
		const child = spawn(
			process.execPath,
			[
				"--experimental-strip-types",
				"--no-warnings",
				"--input-type=module",
				"--eval",
				`
				import { newClient } from ${here("../../client.ts")};
				import { EchoService } from ${here("../../../testdata/services/gen/echo/echo_pb.ts")};
				const echo = newClient(EchoService, "kubernetes://127.0.0.1:${api.port}/payment.shop:grpc");
				console.log((await echo.echo({})).resp);
				`,
			],
			{
				stdio: ["ignore", "pipe", "inherit"],
				timeout: 20_000,
				env: { ...process.env, NODE_EXTRA_CA_CERTS: ca },
			},
		);
		let output = "";
		child.stdout.on("data", (chunk) => {
			output += chunk;
		});
		// The client is not closed: its watch does not keep the process alive.
		const [code] = await once(child, "close");
		expect({ code, output }).toEqual({ code: 0, output: "a\n" });
		expect(api.requests[0]?.kind).toBe("list");
	});

	test.each([
		[
			"kubernetes:///payment.shop:grpc",
			"no API server is known for service payment: KUBERNETES_SERVICE_HOST is not set, so this process does not run in a pod; set the API server",
		],
		[
			"kubernetes://127.0.0.1:1/payment.shop",
			"cannot reach the Kubernetes API server at https://127.0.0.1:1: connect ECONNREFUSED",
		],
	])(
		"the first call of %s outside a cluster fails with an error that explains it",
		async (target, words) => {
			vi.stubEnv("KUBERNETES_SERVICE_HOST", undefined);
			after.push(() => vi.unstubAllEnvs());
			const echo = NewEchoServiceClient(target);
			after.push(() => echo[Symbol.asyncDispose]());
			const error = await Promise.resolve(echo.echo({})).then(
				() => undefined,
				ConnectError.from,
			);
			expect(error?.message).toContain(
				`[unavailable] no connection to ${target}: ${words}`,
			);
		},
	);
});
