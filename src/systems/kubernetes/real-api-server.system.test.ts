import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
	KubeApiServer,
	kubeApiServerMissing,
} from "../../../testdata/harness/kube-api-server.ts";
import {
	type SliceObject,
	slice,
} from "../../../testdata/harness/slice-object.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { type KubernetesDependencies, kubernetesResolver } from "./resolver.ts";

const SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";
const page = fileURLToPath(
	new URL("../../../docs/kubernetes.md", import.meta.url),
);

describe.skipIf(kubeApiServerMissing)(
	"a real API server",
	{ timeout: 120_000 },
	() => {
		let server: KubeApiServer;
		let directory: string;

		beforeAll(async () => {
			server = await KubeApiServer.start();
			await server.ask("POST", "/api/v1/namespaces", {
				metadata: { name: "shop" },
			});
			directory = mkdtempSync(join(tmpdir(), "homing-account-"));
			writeFileSync(join(directory, "ca.crt"), server.ca);
			writeFileSync(join(directory, "namespace"), "shop");
		});
		afterAll(async () => {
			rmSync(directory, { recursive: true, force: true });
			await server?.[Symbol.asyncDispose]();
		});

		/** Makes a resolver with the credentials of a pod. */
		function watching(
			service: string,
			dependencies: KubernetesDependencies = {},
		): Watching {
			const environment = {
				KUBERNETES_SERVICE_HOST: "127.0.0.1",
				KUBERNETES_SERVICE_PORT: String(server.port),
			};
			return new Watching(
				kubernetesResolver(
					{ service },
					{ serviceAccount: directory, environment, ...dependencies },
				),
			);
		}

		const put = (object: SliceObject) =>
			server.ask("PUT", `${SLICES}/${object.metadata.name}`, wire(object));
		const post = (object: SliceObject) =>
			server.ask("POST", SLICES, wire(object));
		const wire = (object: SliceObject) => ({
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			...object,
		});
		const soon = { timeout: 40_000 };
		const at = (...hosts: string[]) =>
			hosts.map((host) => `${host}:50051`).sort();
		const knows = (made: Watching, ...hosts: string[]) =>
			expect.poll(() => made.addresses?.toSorted(), soon).toEqual(at(...hosts));

		test("accepts the YAML of the docs", async () => {
			const documents = [
				...readFileSync(page, "utf8").matchAll(/^```yaml\n(.*?)^```$/gms),
			].flatMap(([, text = ""]) => text.split(/^---\n/m));
			expect(documents).toHaveLength(4);
			for (const document of documents) await server.create(document);
		});

		test("refuses a client that may not read slices, and the error says so", async () => {
			const { problem, message } = await refusal("nonsense");
			expect(problem).toBe("forbidden");
			expect(message).toMatch(
				/does not accept the token in .*\/token \(401\): Unauthorized$/,
			);
			const other = await refusal(await server.tokenOf("stranger"));
			expect(other.problem).toBe("forbidden");
			expect(other.message).toContain(
				'(403): endpointslices.discovery.k8s.io is forbidden: User "system:serviceaccount:shop:stranger" cannot list resource "endpointslices" in API group "discovery.k8s.io" in the namespace "shop". Bind its',
			);
			writeFileSync(join(directory, "token"), await server.tokenOf("checkout"));
		});

		async function refusal(token: string): Promise<DiscoveryError> {
			writeFileSync(join(directory, "token"), token);
			return (await watching("payment").ended) as DiscoveryError;
		}

		test("reports what is added, changed and deleted within 200 ms", async () => {
			await using made = watching("payment");
			await expect
				.poll(() => made.seen.at(-1)?.reason, soon)
				.toMatchObject({ problem: "unknownService" });
			await post(slice("payment-1", ["10.1.0.1"]));
			await knows(made, "10.1.0.1");
			await post(slice("payment-2", ["2001:db8::1"], { addressType: "IPv6" }));
			await post(
				slice("payment-3", [
					{
						addresses: ["10.1.0.2"],
						zone: "eu-1a",
						nodeName: "n",
						targetRef: { kind: "Pod", name: "p" },
					},
				]),
			);
			await knows(made, "10.1.0.1", "10.1.0.2");
			expect(made.seen.at(-1)?.endpoints).toContainEqual({
				address: "10.1.0.2:50051",
				zone: "eu-1a",
				attributes: { pod: "p", node: "n" },
			});
			await server.ask("DELETE", `${SLICES}/payment-1`);
			await knows(made, "10.1.0.2");
			const times: number[] = [];
			for (const host of ["10.1.0.3", "10.1.0.4", "10.1.0.5"]) {
				await new Promise((resolve) => setTimeout(resolve, 150));
				const began = performance.now();
				await put(slice("payment-3", [host]));
				await made.until(() => made.addresses?.[0] === `${host}:50051`);
				times.push(performance.now() - began);
			}
			expect(Math.min(...times)).toBeLessThan(200);
			expect(made.reported).toEqual([]);
		});

		test("ends watches when their time is over, and new ones continue from there", async () => {
			await post(slice("order-1", ["10.1.0.1"], { service: "order" }));
			// Makes watches last 6 s.
			await using made = watching("order", { random: () => -0.98 });
			await knows(made, "10.1.0.1");
			for (let n = 2; n < 12; n++) {
				await new Promise((resolve) => setTimeout(resolve, 1500));
				await put(slice("order-1", [`10.1.0.${n}`], { service: "order" }));
				await knows(made, `10.1.0.${n}`);
			}
			expect(made.reported).toEqual([]);
			expect(made.seen).toHaveLength(11);
		});

		test("lists 1,100 slices page by page", async () => {
			const hosts = Array.from(
				{ length: 1100 },
				(_, n) => `10.2.${n >> 8}.${n & 255}`,
			);
			const left = [...hosts];
			const worker = async () => {
				for (let host = left.pop(); host !== undefined; host = left.pop()) {
					await post(slice(`many-${host}`, [host], { service: "many" }));
				}
			};
			await Promise.all(Array.from({ length: 8 }, worker));
			await using made = watching("many");
			await knows(made, ...hosts);
			expect(made.seen).toHaveLength(1);
		});

		test("handles 5,000 endpoints and many changes, and the last state is known", async () => {
			const state = (index: number, change: number) =>
				slice(
					`large-${index}`,
					Array.from({ length: 100 }, (_, n) => ({
						addresses: [`10.3.${index}.${n}`],
						conditions: { ready: n !== change },
					})),
					{ service: "large" },
				);
			for (let index = 0; index < 50; index++) await post(state(index, -1));
			await using made = watching("large");
			await made.until(() => made.addresses?.length === 5000);
			const began = performance.now();
			await Promise.all(
				Array.from({ length: 10 }, async (_, worker) => {
					for (let n = 0; n < 20; n++)
						await put(state(worker * 5 + (n % 5), n));
				}),
			);
			const seconds = (performance.now() - began) / 1000;
			const wanted = Array.from({ length: 50 }, (_, index) =>
				Array.from({ length: 100 }, (_, n) => `10.3.${index}.${n}`).filter(
					(_, n) => n !== 15 + (index % 5),
				),
			);
			await knows(made, ...wanted.flat());
			expect(made.seen.length).toBeLessThan(5 + seconds * 11);
			expect(made.reported).toEqual([]);
		});

		test("is killed and comes back, and the slices are listed again because the version is too old", async () => {
			await post(slice("cart-1", ["10.1.0.1"], { service: "cart" }));
			await post(slice("cart-2", ["10.1.0.2"], { service: "cart" }));
			await using made = watching("cart");
			await knows(made, "10.1.0.1", "10.1.0.2");
			await server.kill();
			await expect.poll(() => made.reported.length, soon).toBeGreaterThan(0);
			expect(made.addresses).toHaveLength(2);
			// Other changes follow, and the earlier versions are compacted.
			for (let n = 0; n < 10; n++) await server.etcd.put("other", `${n}`);
			await server.etcd.compact();
			await server.start();
			await server.ask("DELETE", `${SLICES}/cart-1`);
			await put(slice("cart-2", ["10.1.0.3"], { service: "cart" }));
			await knows(made, "10.1.0.3");
			// It refuses all requests until it has read its roles again.
			for (const error of made.reported as DiscoveryError[]) {
				expect(["unreachable", "forbidden"]).toContain(error.problem);
			}
		});
	},
);
