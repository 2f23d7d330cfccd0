import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
	ConsulAgent,
	consulMissing,
} from "../../../testdata/harness/consul-agent.ts";
import { HttpProxy } from "../../../testdata/harness/http-proxy.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import { consulRegistry } from "./registry.ts";
import { type ConsulResolverOptions, consulResolver } from "./resolver.ts";

/** A request, as an agent of Consul Enterprise would see it. */
interface Asked {
	/** "GET /v1/path" */
	readonly what: string;
	readonly query: Readonly<Record<string, string>>;
	readonly token: unknown;
}

const scope = { namespace: "team a", partition: "b&c" };
const inQuery = { ns: "team a", partition: "b&c" };
const token = "the-token";
const environment = {};

/** A timeout that is long enough on a busy machine. */
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 15_000 });

/** Records the requests to a Consul agent, in a proxy. */
class Listening implements AsyncDisposable {
	readonly address: string;
	/** The requests so far. */
	readonly asked: Asked[] = [];
	readonly #proxy: HttpProxy;

	/** Each test has its own proxy, because requests of earlier tests may still arrive. */
	static async to(consul: ConsulAgent): Promise<Listening> {
		return new Listening(await HttpProxy.start(consul.address));
	}

	private constructor(proxy: HttpProxy) {
		this.#proxy = proxy;
		this.address = proxy.address;
		proxy.interfere = (request) => {
			const { method, headers } = request;
			const url = new URL(request.url ?? "", "http://agent");
			this.asked.push({
				what: `${method} ${url.pathname}`,
				query: Object.fromEntries(url.searchParams),
				token: headers["x-consul-token"],
			});
			// The agent behind the proxy has neither namespaces nor tokens.
			for (const name of Object.keys(inQuery)) url.searchParams.delete(name);
			delete headers["x-consul-token"];
			request.url = url.pathname + url.search;
			return false;
		};
	}

	get kinds(): string[] {
		return [...new Set(this.asked.map(({ what }) => withoutId(what)))];
	}

	expectScope(): void {
		for (const { what, query, token } of this.asked) {
			expect({ what, ...query, token }).toMatchObject({
				...inQuery,
				token: "the-token",
			});
		}
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.#proxy[Symbol.asyncDispose]();
	}
}

describe.skipIf(consulMissing)("every request to Consul", () => {
	let consul: ConsulAgent;
	beforeAll(async () => {
		consul = await ConsulAgent.start();
	});
	afterAll(() => consul[Symbol.asyncDispose]());

	test.each([
		["stale", { stale: "" }],
		["consistent", { consistent: "" }],
		["default", {}],
	] as const)(
		"of a resolver has namespace, partition, datacenter, consistency (%s) and token, and for instances also near and filter",
		async (consistency, inConsistency) => {
			await using listening = await Listening.to(consul);
			const { asked } = listening;
			const service = `service-${consistency}`;
			const filter = 'Service.Meta.a == "1&2"';
			const options: ConsulResolverOptions = {
				...scope,
				token,
				service,
				agent: listening.address,
				datacenter: "dc1",
				near: "_agent",
				filter,
				consistency,
				config: "config/a",
			};
			await using watch = new Watching(
				consulResolver(options, { environment }),
			);
			await watch.until(() => watch.seen.length > 0);
			await consul.register({
				Name: service,
				Address: "10.0.0.1",
				Port: 1,
				Meta: { a: "1&2" },
			});
			await watch.until(() => watch.addresses?.length === 1);
			listening.expectScope();
			const everywhere = { ...inQuery, dc: "dc1", ...inConsistency };
			const path = `/v1/health/service/${service}`;
			const ofInstances = asked.filter(({ query }) => "passing" in query);
			expect(ofInstances.length).toBeGreaterThan(1);
			for (const [n, { what, query }] of ofInstances.entries()) {
				const { index, wait, ...rest } = query;
				expect(what).toBe(`GET ${path}`);
				expect(rest).toEqual({
					...everywhere,
					passing: "true",
					near: "_agent",
					filter,
				});
				expect([index, wait]).toEqual(
					n === 0 ? [undefined, undefined] : [expect.any(String), "300s"],
				);
			}
			const others = asked.filter(({ query }) => !("passing" in query));
			expect(new Set(others.map(({ what }) => what))).toEqual(
				new Set([`GET ${path}`, "GET /v1/kv/config/a"]),
			);
			for (const { query } of others) {
				const { index, wait, ...rest } = query;
				expect(rest).toEqual(everywhere);
			}
		},
	);

	test("of a registry has namespace, partition and token", async () => {
		await using listening = await Listening.to(consul);
		const errors: Error[] = [];
		const registry = consulRegistry(
			{
				...scope,
				token,
				agent: listening.address,
				check: { kind: "ttl", ttl: "1s" },
				onError: (error) => errors.push(error),
			},
			{ environment },
		);
		const instance = { name: "registered", host: "10.0.0.1", port: 7, id: "a" };
		const { signal } = new AbortController();
		const first = await registry.register(instance, signal);
		await first.setServing(false);
		await first.setServing(true);
		const update = "PUT /v1/agent/check/update/service:a:…";
		await soon(() => listening.kinds).toContain(update);
		const second = await registry.register(instance, signal);
		await soon(() => errors).toHaveLength(1);
		await first[Symbol.asyncDispose]();
		await second[Symbol.asyncDispose]();
		listening.expectScope();
		expect(listening.kinds.toSorted()).toEqual([
			"GET /v1/agent/checks",
			"GET /v1/agent/service/a",
			"GET /v1/catalog/service/registered",
			update,
			"PUT /v1/agent/service/deregister/a",
			"PUT /v1/agent/service/maintenance/a",
			"PUT /v1/agent/service/register",
		]);
	});
});

const withoutId = (what: string): string =>
	decodeURIComponent(what).replace(/[\da-f-]{36}$/, "…");
