import { afterEach, describe, expect, test } from "vitest";
import {
	type ApiInit,
	KubernetesApi,
} from "../../../testdata/harness/kubernetes-api.ts";
import { slice } from "../../../testdata/harness/slice-object.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import type { KubernetesOptions } from "./options.ts";
import { type KubernetesDependencies, kubernetesResolver } from "./resolver.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

async function apiServer(init?: ApiInit): Promise<KubernetesApi> {
	const api = await KubernetesApi.start(init);
	after.push(() => api[Symbol.asyncDispose]());
	return api;
}

function watching(
	api: KubernetesApi,
	options: Partial<KubernetesOptions> = {},
	dependencies: KubernetesDependencies = {},
): Watching {
	const resolver = kubernetesResolver(
		{
			service: "payment",
			namespace: "shop",
			apiServer: api.origin,
			...options,
		},
		{ random: () => 0.5, ...dependencies },
	);
	const made = new Watching(resolver);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

/** Waits until these addresses are known, in any order. */
async function knows(made: Watching, ...hosts: string[]): Promise<void> {
	const wanted = hosts.map((host) => `${host}:50051`).sort();
	await expect
		.poll(() => made.addresses?.toSorted(), { timeout: 5000 })
		.toEqual(wanted);
}

describe("a service's slices", () => {
	test("are listed by label, joined, and watched from the version of the list", async () => {
		const api = await apiServer();
		api.put(slice("payment-1", ["10.1.0.1", "10.1.0.2"]));
		api.put(slice("payment-2", ["10.1.0.3"]));
		api.put(slice("order-1", ["10.1.0.4"], { service: "order" }));
		api.put(slice("payment-1", ["10.1.0.5"], { namespace: "test" }));
		const { version } = api;
		const made = watching(api);
		await knows(made, "10.1.0.1", "10.1.0.2", "10.1.0.3");
		await expect.poll(() => api.watching).toBe(1);
		expect(
			api.requests.map(({ path, query }) => [path, Object.fromEntries(query)]),
		).toEqual([
			[
				"/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices",
				{ labelSelector: "kubernetes.io/service-name=payment", limit: "500" },
			],
			[
				"/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices",
				{
					labelSelector: "kubernetes.io/service-name=payment",
					watch: "true",
					allowWatchBookmarks: "true",
					resourceVersion: version,
					timeoutSeconds: "450",
				},
			],
		]);
		expect(made.seen).toHaveLength(1);
	});

	test("that are added, changed and deleted are followed", async () => {
		const api = await apiServer();
		api.put(slice("payment-1", ["10.1.0.1"]));
		const made = watching(api);
		await knows(made, "10.1.0.1");
		api.put(slice("payment-2", ["10.1.0.2"]));
		await knows(made, "10.1.0.1", "10.1.0.2");
		api.put(slice("payment-1", ["10.1.0.1", "10.1.0.3"]));
		await knows(made, "10.1.0.1", "10.1.0.2", "10.1.0.3");
		api.delete("payment-1");
		await knows(made, "10.1.0.2");
		expect(api.requests).toHaveLength(2);
		expect(made.reported).toEqual([]);
	});

	test("are read page by page if there are many", async () => {
		const api = await apiServer();
		const hosts = Array.from(
			{ length: 1200 },
			(_, n) => `10.2.${n >> 8}.${n & 255}`,
		);
		for (const host of hosts) api.put(slice(`payment-${host}`, [host]));
		await knows(watching(api), ...hosts);
		expect(api.seen("list").map(({ query }) => query.has("continue"))).toEqual([
			false,
			true,
			true,
		]);
	});

	test("are listed in one piece if the list expires between two pages", async () => {
		const api = await apiServer();
		const hosts = Array.from(
			{ length: 600 },
			(_, n) => `10.2.${n >> 8}.${n & 255}`,
		);
		for (const host of hosts) api.put(slice(`payment-${host}`, [host]));
		api.onRequest = ({ query }) => {
			if (query.has("continue")) api.compact();
		};
		await knows(watching(api), ...hosts);
		expect(api.seen("list").map(({ query }) => query.get("limit"))).toEqual([
			"500",
			"500",
			null,
		]);
	});

	test("lead to few updates when many change at once", async () => {
		const api = await apiServer();
		api.put(slice("payment-1", ["10.1.0.1"]));
		const made = watching(api);
		await knows(made, "10.1.0.1");
		await expect.poll(() => api.watching).toBe(1);
		for (let n = 0; n < 200; n++)
			api.put(slice(`payment-${n}`, [`10.3.0.${n}`]));
		await expect.poll(() => made.addresses?.length).toBe(200);
		expect(made.seen.length).toBeLessThan(10);
	});

	test("may be missing, be empty and come back while the watch goes on", async () => {
		const api = await apiServer();
		const made = watching(api);
		const reason = () => made.seen.at(-1)?.reason as DiscoveryError | undefined;
		await expect.poll(() => reason()?.problem).toBe("unknownService");
		api.put(slice("payment-1", []));
		await expect.poll(() => reason()?.problem).toBe("noHealthyInstance");
		api.put(slice("payment-1", ["10.1.0.1"]));
		await knows(made, "10.1.0.1");
		expect(reason()).toBeUndefined();
		expect(api.requests).toHaveLength(2);
	});

	test("with unusable addresses are reported, each once", async () => {
		const api = await apiServer();
		const names = { addressType: "FQDN" };
		api.put(slice("payment-1", ["10.1.0.1"]));
		api.put(slice("payment-2", ["db.example.com"], names));
		const made = watching(api);
		await knows(made, "10.1.0.1");
		api.put(slice("payment-2", ["other.example.com"], names));
		api.put(slice("payment-1", ["10.1.0.2"]));
		await knows(made, "10.1.0.2");
		expect(made.reported.map(({ message }) => message)).toEqual([
			'EndpointSlice payment-2 has addresses of type "FQDN", which are not used; use a dns: target for host names',
		]);
	});

	test("are read from an API server on IPv6", async () => {
		const api = await apiServer({ host: "::1" });
		api.put(slice("payment-1", ["2001:db8::1"], { addressType: "IPv6" }));
		await knows(watching(api), "[2001:db8::1]");
	});
});

describe("a watch", () => {
	test("that the server ends is continued by a new one, at the earliest after a second", async () => {
		const api = await apiServer();
		api.put(slice("payment-1", ["10.1.0.1"]));
		const made = watching(api);
		await knows(made, "10.1.0.1");
		api.put(slice("payment-1", ["10.1.0.2"]));
		await knows(made, "10.1.0.2");
		const { version } = api;
		api.endWatches();
		api.put(slice("payment-1", ["10.1.0.3"]));
		await knows(made, "10.1.0.3");
		expect(api.seen("list")).toHaveLength(1);
		const [first, second] = api.seen("watch");
		expect(second?.query.get("resourceVersion")).toBe(version);
		expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(500);
		expect(made.reported).toEqual([]);
	});

	test("continues from the last bookmark", async () => {
		const api = await apiServer();
		api.put(slice("payment-1", ["10.1.0.1"]));
		const made = watching(api);
		await expect.poll(() => api.watching).toBe(1);
		api.moveOn();
		api.bookmark();
		api.compact();
		api.endWatches();
		await expect
			.poll(() => api.seen("watch").length, { timeout: 5000 })
			.toBe(2);
		expect(api.seen("watch")[1]?.query.get("resourceVersion")).toBe(
			api.version,
		);
		expect(api.seen("list")).toHaveLength(1);
		expect(made.seen).toHaveLength(1);
	});

	test.each([
		["an ERROR event", false],
		["the status", true],
	])(
		"whose version is too old, as %s says, is started again from a new list",
		async (_, byStatus) => {
			const api = await apiServer();
			api.goneByStatus = byStatus;
			api.put(slice("payment-1", ["10.1.0.1"]));
			api.put(slice("payment-2", ["10.1.0.2"]));
			const made = watching(api);
			await knows(made, "10.1.0.1", "10.1.0.2");
			await expect.poll(() => api.watching).toBe(1);
			api.endWatches();
			api.put(slice("payment-1", ["10.1.0.3"]));
			api.delete("payment-2");
			api.compact();
			await knows(made, "10.1.0.3");
			await expect
				.poll(() => api.requests.map(({ kind }) => kind))
				.toEqual(["list", "watch", "watch", "list", "watch"]);
			expect(made.reported).toEqual([]);
		},
	);

	test("ends and closes its connection when its signal fires", async () => {
		const api = await apiServer();
		api.put(slice("payment-1", ["10.1.0.1"]));
		const made = watching(api);
		await expect.poll(() => api.watching).toBe(1);
		await made[Symbol.asyncDispose]();
		await expect.poll(() => api.watching).toBe(0);
		await expect.poll(() => api.connections()).toBe(0);
		expect(await made.ended).toBeUndefined();
	});

	test("ends also during the first list", async () => {
		const api = await apiServer();
		api.faults.list = "hang";
		const made = watching(api);
		await expect.poll(() => api.requests.length).toBe(1);
		await made[Symbol.asyncDispose]();
		await expect.poll(() => api.connections()).toBe(0);
	});

	test("is independent of other watches of the same resolver", async () => {
		const api = await apiServer();
		api.put(slice("payment-1", ["10.1.0.1"]));
		const resolver = kubernetesResolver({
			service: "payment",
			namespace: "shop",
			apiServer: api.origin,
		});
		await using one = new Watching(resolver);
		await using two = new Watching(resolver);
		await knows(one, "10.1.0.1");
		await knows(two, "10.1.0.1");
	});
});

describe("of the two families of a dual-stack Service", () => {
	const families = (api: KubernetesApi) => {
		api.put(
			slice("payment-6", ["2001:db8::1", "2001:db8::2"], {
				addressType: "IPv6",
			}),
		);
		api.put(slice("payment-4", ["10.1.0.1", "10.1.0.2"]));
	};
	/** A network in which only these addresses answer. */
	const network = (...answering: string[]) => {
		const probe = async (address: string) => {
			if (!answering.some((host) => address === `${host}:50051`))
				throw new Error("no route");
		};
		return { answering, probe };
	};

	test.each([
		[
			"IPv4",
			"127.0.0.1",
			["10.1.0.1", "[2001:db8::1]"],
			["10.1.0.1", "10.1.0.2"],
		],
		[
			"IPv6, as the API server",
			"::1",
			["10.1.0.1", "[2001:db8::1]"],
			["[2001:db8::1]", "[2001:db8::2]"],
		],
		[
			"the one that answers",
			"127.0.0.1",
			["[2001:db8::2]"],
			["[2001:db8::1]", "[2001:db8::2]"],
		],
		[
			"the preferred one where none answers",
			"127.0.0.1",
			[],
			["10.1.0.1", "10.1.0.2"],
		],
	])("%s is used", async (_, host, answering, used) => {
		const api = await apiServer({ host });
		families(api);
		await knows(watching(api, {}, network(...answering)), ...used);
	});

	test("the one in use is kept until a connection is lost and its addresses no longer answer", async () => {
		const api = await apiServer();
		families(api);
		const { answering, probe } = network("10.1.0.1", "[2001:db8::1]");
		const made = watching(api, {}, { probe });
		await knows(made, "10.1.0.1", "10.1.0.2");
		answering.shift();
		api.put(slice("payment-4", ["10.1.0.1"]));
		await knows(made, "10.1.0.1");
		made.refresh();
		await knows(made, "[2001:db8::1]", "[2001:db8::2]");
	});

	test("the other is used when one has no endpoints left", async () => {
		const api = await apiServer();
		families(api);
		const made = watching(api, {}, network("10.1.0.1", "[2001:db8::1]"));
		await knows(made, "10.1.0.1", "10.1.0.2");
		api.delete("payment-4");
		await knows(made, "[2001:db8::1]", "[2001:db8::2]");
	});
});
