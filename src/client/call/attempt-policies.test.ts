/** Where the policy of a call's attempts comes from: retry and hedging are one slot, and the nearest level that sets it decides. */

import {
	createClient,
	createContextValues,
	type Interceptor,
} from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import {
	type Answer,
	answering,
	attempting,
	busy,
	errorOf,
	fine,
	type ScriptedServer,
	silent,
} from "../../../testdata/harness/attempts.ts";
import { serviceOf } from "../../../testdata/harness/service-of.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { OptionError } from "../../checks/option-error.ts";
import type { Resolution } from "../../discovery/resolver.ts";
import type { RetryPolicy } from "../../policy/retry/retry-policy.ts";
import type { ServiceConfig } from "../../policy/service-config.ts";
import { Channel } from "../channel.ts";
import { newClient } from "../new-client.ts";
import { type CallOptions, callOptionsKey } from "../options/call-options.ts";
import type { ClientOptions } from "../options/client-options.ts";

const after: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

async function serving(...answers: Answer[]): Promise<ScriptedServer> {
	const server = await answering(answers);
	after.push(() => server[Symbol.asyncDispose]());
	return server;
}

/** One that is over at once. */
function attempts(maxAttempts: number): RetryPolicy {
	return {
		maxAttempts,
		initialBackoff: "0.000001s",
		maxBackoff: "0.000001s",
		backoffMultiplier: 1,
		retryableStatusCodes: ["UNAVAILABLE"],
	};
}

function configOf(
	maxAttempts: number,
	...name: { service?: string; method?: string }[]
): ServiceConfig {
	return { methodConfig: [{ name, retryPolicy: attempts(maxAttempts) }] };
}

/** How often a call of a server that is always busy is sent. */
async function timesSent(
	options: ClientOptions = {},
	{
		baked,
		call,
		resolved,
	}: {
		baked?: ServiceConfig;
		call?: CallOptions;
		resolved?: ServiceConfig;
	} = {},
): Promise<number> {
	const server = await serving(busy);
	const endpoints = [{ address: server.address }];
	const client = newClient<EchoServiceClient>(
		EchoService,
		resolved === undefined
			? server.address
			: {
					async *watch() {
						yield { endpoints, serviceConfig: resolved };
					},
				},
		options,
		baked,
	);
	after.push(() => client[Symbol.asyncDispose]());
	await errorOf(client.echo({}, call));
	return server.seen.length;
}

const exact = { service: "echo.EchoService", method: "Echo" };

describe("a retry policy comes from", () => {
	test("the call", async () => {
		expect(await timesSent({}, { call: { retryPolicy: attempts(2) } })).toBe(2);
	});

	test("the client's options for the method", async () => {
		const methods = { echo: { retryPolicy: attempts(2) } };
		expect(await timesSent({ methods })).toBe(2);
	});

	test("the client's options", async () => {
		expect(await timesSent({ retryPolicy: attempts(2) })).toBe(2);
	});

	test("the resolver's service config", async () => {
		expect(await timesSent({}, { resolved: configOf(2, exact) })).toBe(2);
	});

	test("the serviceConfig option", async () => {
		expect(await timesSent({ serviceConfig: configOf(2, exact) })).toBe(2);
	});

	test("what the plugin has baked in, from the proto", async () => {
		expect(await timesSent({}, { baked: configOf(2, exact) })).toBe(2);
	});

	test("nowhere, for a method that is not idempotent", async () => {
		expect(await timesSent()).toBe(1);
	});

	test("what is built in, for one that is: three attempts", async () => {
		const service = serviceOf(
			{ name: "Read", idempotency: "NO_SIDE_EFFECTS" },
			{ name: "Put", idempotency: "IDEMPOTENT" },
		);
		const server = await serving(busy);
		const watched = attempting<
			Record<"read" | "put", (request: object) => Promise<object>>
		>(service, server.address);
		after.push(() => watched[Symbol.asyncDispose]());
		await errorOf(watched.client.read({}));
		expect(watched.times).toEqual([0, 50, 150]);
		await errorOf(watched.client.put({}));
		expect(server.seen).toHaveLength(6);
	});
});

describe("the nearest level decides", () => {
	const levels = {
		options: {
			methods: { echo: { retryPolicy: attempts(3) } },
			retryPolicy: attempts(4),
			serviceConfig: configOf(2, exact),
		},
		more: { resolved: configOf(5, exact), baked: configOf(2, exact) },
	};

	test("call, before method, before client, before the resolver's config, before the option's, before what is baked in", async () => {
		const { options, more } = levels;
		const call = { retryPolicy: attempts(2) };
		expect(await timesSent(options, { ...more, call })).toBe(2);
		expect(await timesSent(options, more)).toBe(3);
		const { methods: _, ...client } = options;
		expect(await timesSent(client, more)).toBe(4);
		const { retryPolicy: __, ...option } = client;
		expect(await timesSent(option, more)).toBe(5);
		const { baked } = more;
		expect(
			await timesSent({ serviceConfig: configOf(4, exact) }, { baked }),
		).toBe(4);
		expect(await timesSent({}, { baked })).toBe(2);
	});

	test("false switches off, at each level", async () => {
		const baked = configOf(3, exact);
		const off = { retryPolicy: false } as const;
		expect(await timesSent({}, { baked, call: off })).toBe(1);
		expect(await timesSent({ methods: { echo: off } }, { baked })).toBe(1);
		expect(await timesSent(off, { baked })).toBe(1);
		expect(await timesSent(off, { call: { retryPolicy: attempts(2) } })).toBe(
			2,
		);
	});

	test("be it retry or hedging: one displaces the other", async () => {
		const hedgingPolicy = {
			maxAttempts: 4,
			nonFatalStatusCodes: ["UNAVAILABLE"],
		} as const;
		expect(
			await timesSent(
				{ retryPolicy: attempts(2) },
				{ call: { hedgingPolicy } },
			),
		).toBe(4);
		expect(
			await timesSent(
				{ hedgingPolicy },
				{ call: { retryPolicy: attempts(2) } },
			),
		).toBe(2);
		expect(
			await timesSent({ hedgingPolicy }, { call: { retryPolicy: false } }),
		).toBe(1);
	});

	test("both at one level are refused", () => {
		expect(() =>
			newClient(EchoService, "localhost:1", {
				retryPolicy: attempts(2),
				hedgingPolicy: { maxAttempts: 2 },
			}),
		).toThrow(OptionError);
	});
});

describe("a methodConfig speaks of", () => {
	const service = { service: "echo.EchoService" };

	test("the method that it names, rather than of its service, rather than of all", async () => {
		const all: ServiceConfig = {
			methodConfig: [
				{ name: [{}], retryPolicy: attempts(2) },
				{ name: [service], retryPolicy: attempts(3) },
				{ name: [exact], retryPolicy: attempts(4) },
			],
		};
		const first = (count: number): ServiceConfig => ({
			methodConfig: all.methodConfig?.slice(0, count),
		});
		expect(await timesSent({ serviceConfig: first(1) })).toBe(2);
		expect(await timesSent({ serviceConfig: first(2) })).toBe(3);
		expect(await timesSent({ serviceConfig: all })).toBe(4);
	});

	test("streams, too, by whichever name", async () => {
		const server = await serving(busy);
		const client = newClient<OrderManagementClient>(
			OrderManagement,
			server.address,
			{ serviceConfig: configOf(3, {}) },
		);
		after.push(() => client[Symbol.asyncDispose]());
		await errorOf(client.searchOrders({}).recv());
		expect(server.seen).toHaveLength(3);
	});
});

test("the policy of a resolver that answers while the first call waits is that call's", async () => {
	const server = await serving(busy);
	const answer = Promise.withResolvers<void>();
	const watched = attempting<EchoServiceClient>(EchoService, {
		async *watch(): AsyncIterable<Resolution> {
			await answer.promise;
			yield {
				endpoints: [{ address: server.address }],
				serviceConfig: configOf(3, exact),
			};
		},
	});
	after.push(() => watched[Symbol.asyncDispose]());
	const call = errorOf(watched.client.echo({}));
	await watched.clock.advance(10);
	answer.resolve();
	await call;
	expect(server.seen).toHaveLength(3);
});

test("a hedging policy of a resolver that answers while the first call waits is that call's, too", async () => {
	const server = await serving(silent, fine);
	const answer = Promise.withResolvers<void>();
	const watched = attempting<EchoServiceClient>(EchoService, {
		async *watch(): AsyncIterable<Resolution> {
			await answer.promise;
			yield {
				endpoints: [{ address: server.address }],
				serviceConfig: {
					methodConfig: [{ name: [{}], hedgingPolicy: { maxAttempts: 2 } }],
				},
			};
		},
	});
	after.push(() => watched[Symbol.asyncDispose]());
	const call = watched.client.echo({});
	answer.resolve();
	await call;
	expect(server.seen).toHaveLength(2);
});

test("a resolver's new policy is for the calls that come after it", async () => {
	const server = await serving(busy);
	const next = Promise.withResolvers<void>();
	const endpoints = [{ address: server.address }];
	const watched = attempting<EchoServiceClient>(EchoService, {
		async *watch({ signal }): AsyncIterable<Resolution> {
			yield { endpoints, serviceConfig: configOf(3, exact) };
			await next.promise;
			yield { endpoints, serviceConfig: configOf(2, exact) };
			await new Promise((resolve) => signal.addEventListener("abort", resolve));
		},
	});
	after.push(() => watched[Symbol.asyncDispose]());
	await errorOf(watched.client.echo({}));
	expect(server.seen).toHaveLength(3);
	next.resolve();
	await watched.clock.advance(0);
	await errorOf(watched.client.echo({}));
	expect(server.seen).toHaveLength(5);
});

test("a call that was sent keeps its policy and its deadline, whatever a resolver says meanwhile", async () => {
	const lost = await serving(silent);
	const other = await serving(busy);
	const next = Promise.withResolvers<void>();
	const configured = (
		{ address }: ScriptedServer,
		timeout: "20s" | "1s",
		maxAttempts: number,
	): Resolution => {
		const retryPolicy = attempts(maxAttempts);
		const methodConfig = [
			{ name: [exact], waitForReady: true, timeout, retryPolicy },
		];
		return { endpoints: [{ address }], serviceConfig: { methodConfig } };
	};
	const watched = attempting<EchoServiceClient>(EchoService, {
		async *watch({ signal }): AsyncIterable<Resolution> {
			yield configured(lost, "20s", 4);
			await next.promise;
			yield configured(other, "1s", 2);
			await new Promise((resolve) => signal.addEventListener("abort", resolve));
		},
	});
	after.push(() => watched[Symbol.asyncDispose]());
	const call = errorOf(watched.client.echo({}));
	await lost.request(1);
	await watched.clock.advance(5_000);
	await lost[Symbol.asyncDispose]();
	after.shift();
	await watched.until(() => watched.decisions.length === 1);
	while (watched.core.state !== "transientFailure") {
		await watched.clock.advance(0);
	}
	next.resolve();
	expect((await call).rawMessage).toBe("busy");
	expect(other.seen).toHaveLength(3);
	expect(other.seen[0]?.headers["grpc-timeout"]).toMatch(/^1[45]\d{6}u$/);
});

describe("a Channel as a Connect Transport", () => {
	test("retries by its service config, and as callOptionsKey says", async () => {
		const server = await serving(busy);
		await using channel = new Channel(server.address, {
			serviceConfig: configOf(2, exact),
		});
		const client = createClient(EchoService, channel);
		await errorOf(client.echo({}));
		expect(server.seen).toHaveLength(2);
		const added = { retryPolicy: attempts(3) };
		const contextValues = createContextValues().set(callOptionsKey, added);
		await errorOf(client.echo({}, { contextValues }));
		expect(server.seen).toHaveLength(5);
	});

	test("hedges as callOptionsKey says", async () => {
		const server = await serving(silent, fine);
		await using channel = new Channel(server.address);
		const contextValues = createContextValues().set(callOptionsKey, {
			hedgingPolicy: { maxAttempts: 2 },
		});
		await createClient(EchoService, channel).echo({}, { contextValues });
		expect(server.seen).toHaveLength(2);
	});
});

test("interceptors run once a call, around all its attempts", async () => {
	let runs = 0;
	const counting: Interceptor = (next) => (request) => {
		runs += 1;
		return next(request);
	};
	expect(
		await timesSent({ retryPolicy: attempts(4), interceptors: [counting] }),
	).toBe(4);
	expect(runs).toBe(1);
});
