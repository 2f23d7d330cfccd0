import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { KubernetesApi } from "../../../testdata/harness/kubernetes-api.ts";
import { slice } from "../../../testdata/harness/slice-object.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import { makeIdentity } from "../../../testdata/peers/node/certificates.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { Access } from "./access.ts";
import type { KubernetesOptions } from "./options.ts";
import { kubernetesResolver } from "./resolver.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

const authority = makeIdentity({ commonName: "cluster authority" });
const stranger = makeIdentity({ commonName: "another authority" });
const identity = makeIdentity({
	commonName: "kube-apiserver",
	hosts: ["127.0.0.1", "kubernetes.default.svc"],
	issuer: authority,
});

/** An API server with one slice that requires the token "first". */
async function apiServer(tls = true): Promise<KubernetesApi> {
	const api = await KubernetesApi.start(tls ? { identity } : {});
	after.push(() => api[Symbol.asyncDispose]());
	api.tokens = ["first"];
	api.put(slice("payment-1", ["10.1.0.1"]));
	return api;
}

function directory(): string {
	const made = mkdtempSync(join(tmpdir(), "homing-kubernetes-"));
	after.push(() => rmSync(made, { recursive: true }));
	return made;
}

/** The files of a pod's service account. */
function serviceAccount(
	files: Partial<Record<"token" | "ca.crt" | "namespace", string>> = {},
): string {
	const made = join(directory(), "serviceaccount");
	mkdirSync(made);
	const all = {
		token: "first\n",
		"ca.crt": authority.certificate,
		namespace: "shop\n",
		...files,
	};
	for (const [name, text] of Object.entries(all)) {
		if (text !== "") writeFileSync(join(made, name), text);
	}
	return made;
}

function watching(
	options: Omit<KubernetesOptions, "service">,
	dependencies: {
		serviceAccount?: string;
		environment?: Record<string, string>;
	} = {},
): Watching {
	const made = new Watching(
		kubernetesResolver(
			{ service: "payment", ...options },
			{
				serviceAccount: "/nowhere",
				environment: {},
				random: () => 0.5,
				...dependencies,
			},
		),
	);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

function environmentOf(api: KubernetesApi): Record<string, string> {
	return {
		KUBERNETES_SERVICE_HOST: "127.0.0.1",
		KUBERNETES_SERVICE_PORT: String(api.port),
	};
}

const found = { timeout: 5000 };
const here = ["10.1.0.1:50051"];

/** Returns the problem and the message with which a watch fails. */
async function failure(made: Watching): Promise<string> {
	const { problem, message } = (await made.ended) as DiscoveryError;
	return `${problem}: ${message}`;
}

describe("in a pod", () => {
	test("the name of the service is enough", async () => {
		const api = await apiServer();
		const made = watching(
			{},
			{ environment: environmentOf(api), serviceAccount: serviceAccount() },
		);
		await expect.poll(() => made.addresses, found).toEqual(here);
		expect(api.requests.map(({ authorization }) => authorization)).toContain(
			"Bearer first",
		);
	});

	test("a token that is renewed is used for the next request", async () => {
		const api = await apiServer();
		const account = serviceAccount();
		const made = watching(
			{},
			{ environment: environmentOf(api), serviceAccount: account },
		);
		await expect.poll(() => api.watching, found).toBe(1);
		writeFileSync(join(account, "token"), "second");
		api.tokens = ["second"];
		api.endWatches();
		await expect
			.poll(() => api.seen("watch").at(-1)?.authorization, found)
			.toBe("Bearer second");
		api.put(slice("payment-1", ["10.1.0.2"]));
		await expect.poll(() => made.addresses, found).toEqual(["10.1.0.2:50051"]);
		expect(made.reported).toEqual([]);
	});

	test("a token that is renewed while the old one is refused is used at once", async () => {
		const api = await apiServer();
		const account = serviceAccount({ token: "old" });
		api.onRequest = () => writeFileSync(join(account, "token"), "first");
		const made = watching(
			{},
			{ environment: environmentOf(api), serviceAccount: account },
		);
		await expect.poll(() => made.addresses, found).toEqual(here);
		expect(api.requests[1]?.authorization).toBe("Bearer first");
	});

	test("the options take precedence over what the pod provides", async () => {
		const api = await apiServer();
		api.put(slice("payment-1", ["10.1.0.7"], { namespace: "test" }));
		const account = serviceAccount({
			token: "wrong",
			"ca.crt": stranger.certificate,
		});
		const made = watching(
			{ namespace: "test", token: "first", ca: authority.certificate },
			{ environment: environmentOf(api), serviceAccount: account },
		);
		await expect.poll(() => made.addresses, found).toEqual(["10.1.0.7:50051"]);
	});

	const ca = authority.certificate;
	test.each<[string, () => Omit<KubernetesOptions, "service">]>([
		["ca", () => ({ ca })],
		["caFile", () => ({ caFile: join(serviceAccount(), "ca.crt") })],
		["tls.ca", () => ({ tls: { ca } })],
		["a function", () => ({ tls: () => ({ ca }) })],
	])(
		"its token is not sent to a server that is trusted by %s",
		async (_, options) => {
			const api = await apiServer();
			const made = watching(
				{ apiServer: api.origin, ...options() },
				{ environment: environmentOf(api), serviceAccount: serviceAccount() },
			);
			expect(await failure(made)).toContain("requires a token (401)");
			expect(api.requests.map(({ authorization }) => authorization)).toEqual([
				undefined,
				undefined,
			]);
		},
	);

	test("its token is not sent to a server whose certificate its own authority has not issued", async () => {
		const api = await apiServer();
		const foreign = serviceAccount({ "ca.crt": stranger.certificate });
		const made = watching(
			{},
			{ environment: environmentOf(api), serviceAccount: foreign },
		);
		expect(await failure(made)).toContain("is not trusted: set tls.ca");
		expect(api.requests).toEqual([]);
	});

	test.each([
		["an authority of its own", true, { "ca.crt": "" }, {}],
		[
			"a check of certificates",
			true,
			{},
			{ tls: { rejectUnauthorized: false } },
		],
		["TLS", false, {}, {}],
	])("its token is not sent without %s", async (_, tls, files, options) => {
		const api = await apiServer(tls);
		const made = watching(
			{ ...options, ...(!tls && { apiServer: api.origin.toUpperCase() }) },
			{
				environment: environmentOf(api),
				serviceAccount: serviceAccount(files),
			},
		);
		await made.ended;
		for (const { authorization } of api.requests)
			expect(authorization).toBeUndefined();
	});

	test("a watch that ends before the namespace is known sends no request", async () => {
		const api = await apiServer();
		const made = watching(
			{},
			{ environment: environmentOf(api), serviceAccount: serviceAccount() },
		);
		await made[Symbol.asyncDispose]();
		await new Promise((resolve) => setTimeout(resolve, 100));
		expect(api.requests).toEqual([]);
		expect(await api.connections()).toBe(0);
	});

	test("the address of the API server may be IPv6", async () => {
		const environment = {
			KUBERNETES_SERVICE_HOST: "::1",
			KUBERNETES_SERVICE_PORT: "1",
		};
		const made = watching(
			{},
			{ environment, serviceAccount: serviceAccount() },
		);
		expect(await failure(made)).toContain(
			"at https://[::1]:1: connect ECONNREFUSED ::1:1",
		);
	});

	test("requests carry no token if the pod has none", async () => {
		const api = await apiServer();
		const account = serviceAccount({ token: "" });
		const made = watching(
			{},
			{ environment: environmentOf(api), serviceAccount: account },
		);
		expect(await failure(made)).toBe(
			`forbidden: the Kubernetes API server at ${api.origin} requires a token (401): Unauthorized. Set the option token or tokenFile; a pod has one unless automountServiceAccountToken is false`,
		);
	});
});

test("a pod's token is used only together with the pod's authority", async () => {
	const options = { service: "payment", apiServer: "127.0.0.1:1" };
	const headersIn = (files: Parameters<typeof serviceAccount>[0]) =>
		new Access(options, {
			serviceAccount: serviceAccount(files),
			environment: {},
		}).headers();
	expect(await headersIn({})).toEqual({ authorization: "Bearer first" });
	expect(await headersIn({ "ca.crt": "" })).toEqual({});
});

describe("elsewhere", () => {
	test("token and authority come from options, as values or from files", async () => {
		const api = await apiServer();
		const account = serviceAccount();
		const shop = { apiServer: api.origin, namespace: "shop" };
		const { certificate: ca } = authority;
		for (const options of [
			{ token: "first", ca },
			{ token: async () => "first", tls: { ca } },
			{ tokenFile: join(account, "token"), caFile: join(account, "ca.crt") },
			{ token: "first", tls: async () => ({ ca }) },
			{ token: "first", ca, tls: { servername: "kubernetes.default.svc" } },
		]) {
			const made = watching({ ...shop, ...options });
			await expect.poll(() => made.addresses, found).toEqual(here);
		}
		const made = watching({
			apiServer: `127.0.0.1:${api.port}`,
			namespace: "shop",
			token: "first",
			ca,
		});
		await expect.poll(() => made.addresses, found).toEqual(here);
	});

	test.each([
		[
			"no cluster around it",
			{ namespace: "shop" },
			/^unreachable: no API server is known for service payment: KUBERNETES_SERVICE_HOST is not set, so this process does not run in a pod; set the API server, as in kubernetes:\/\/host:port\/… or by the option apiServer$/,
		],
		[
			"no namespace",
			{ apiServer: "127.0.0.1:1" },
			/^unreachable: service payment needs a namespace, as in kubernetes:\/\/\/payment\.default, because that of the pod cannot be read: ENOENT.*\/nowhere\/namespace/,
		],
		[
			"a token file that is not there",
			{
				apiServer: "127.0.0.1:1",
				namespace: "shop",
				tokenFile: "/nowhere/token",
			},
			/^forbidden: the token for the API server cannot be read: ENOENT.*\/nowhere\/token/,
		],
		[
			"an authority's file that is not there",
			{
				apiServer: "127.0.0.1:1",
				namespace: "shop",
				caFile: "/nowhere/ca.crt",
			},
			/^unreachable: .*the certificate authority of the API server cannot be read: ENOENT.*\/nowhere\/ca\.crt/,
		],
		[
			"nobody there",
			{ apiServer: "http://127.0.0.1:1", namespace: "shop" },
			/^unreachable: cannot reach the Kubernetes API server at http:\/\/127\.0\.0\.1:1: connect ECONNREFUSED/,
		],
	])(
		"with %s the watch fails with an error that explains it",
		async (_, options, words) => {
			expect(await failure(watching(options))).toMatch(words);
		},
	);
});
