/** Retry throttling (gRFC A6, "Throttling Retry Attempts and Hedged RPCs"), over real sockets and in fake time. */

import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import {
	type Answer,
	type AttemptingClient,
	answering,
	attempting,
	broken,
	busy,
	errorOf,
	fine,
	pushingBack,
	retryPolicy,
	type ScriptedServer,
} from "../../../testdata/harness/attempts.ts";
import { serviceOf } from "../../../testdata/harness/service-of.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { Resolution, Resolver } from "../../discovery/resolver.ts";
import { staticResolver } from "../../discovery/static.ts";
import { THROTTLED } from "../../policy/retry/retry-throttle.ts";
import type { RetryThrottling } from "../../policy/service-config.ts";
import type { ClientOptions } from "../options/client-options.ts";

const after: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

function echoing(
	target: string | Resolver,
	retryThrottling: RetryThrottling | undefined,
	options: ClientOptions = {},
): AttemptingClient<EchoServiceClient> {
	const watched = attempting<EchoServiceClient>(EchoService, target, {
		retryPolicy,
		...(retryThrottling && { serviceConfig: { retryThrottling } }),
		...options,
	});
	after.push(() => watched[Symbol.asyncDispose]());
	return watched;
}

async function serving(...answers: Answer[]): Promise<ScriptedServer> {
	const server = await answering(answers);
	after.push(() => server[Symbol.asyncDispose]());
	return server;
}

const tokens = (watched: AttemptingClient<unknown>): number =>
	(watched.core.snapshot() as { retryTokens: number }).retryTokens;

const denied = { kind: "denied", delayMs: 0, reason: THROTTLED };

describe("the tokens of a channel", () => {
	test("are 100 at first, and a success is worth a tenth, unless a service config says otherwise", async () => {
		const server = await serving(busy, fine);
		const watched = echoing(server.address, undefined);
		expect(tokens(watched)).toBe(100);
		await watched.client.echo({});
		expect(tokens(watched)).toBe(99.1);
	});

	test("get fewer by one with each attempt that fails with a retryable code, the last among them", async () => {
		const server = await serving(busy);
		const watched = echoing(server.address, undefined);
		await errorOf(watched.client.echo({}));
		expect(tokens(watched)).toBe(95);
	});

	test("get fewer by one when the server says not to retry", async () => {
		const server = await serving(pushingBack("-1"));
		const watched = echoing(server.address, undefined);
		await errorOf(watched.client.echo({}));
		expect(tokens(watched)).toBe(99);
	});

	test("get no fewer with other failures, nor with those of calls without a policy", async () => {
		const server = await serving(broken, busy);
		const watched = echoing(server.address, undefined);
		await errorOf(watched.client.echo({}));
		await errorOf(watched.client.echo({}, { retryPolicy: false }));
		expect(tokens(watched)).toBe(100);
	});

	test("get fewer with picks that fail, too: there may be nobody left to retry at", async () => {
		const watched = echoing("127.0.0.1:1", undefined);
		await errorOf(watched.client.echo({}));
		expect(tokens(watched)).toBe(95);
	});

	test("get more with each success, but no more than maxTokens", async () => {
		const server = await serving(busy, busy, fine);
		const watched = echoing(server.address, { maxTokens: 10, tokenRatio: 0.7 });
		await watched.client.echo({});
		expect(tokens(watched)).toBe(8.7);
		for (const _ of "123") await watched.client.echo({});
		expect(tokens(watched)).toBe(10);
	});

	test("are one channel's, and all its methods' and calls'", async () => {
		const server = await serving(busy);
		const throttling = { maxTokens: 4, tokenRatio: 0.1 };
		const [one, other] = [
			echoing(server.address, throttling),
			echoing(server.address, throttling),
		];
		await errorOf(one.client.echo({}));
		await errorOf(one.client.echo({}));
		expect(tokens(one)).toBe(1);
		expect(tokens(other)).toBe(4);
	});
});

describe("a retry goes only while there are more than half of the tokens", () => {
	test("and not at the half, of which the failed attempt has taken its own", async () => {
		const server = await serving(busy);
		const watched = echoing(server.address, { maxTokens: 4, tokenRatio: 0.1 });
		await errorOf(watched.client.echo({}));
		// 4 - 1 = 3: a retry. 3 - 1 = 2: none.
		expect(server.seen).toHaveLength(2);
		expect(watched.decisions.at(-1)).toEqual(denied);
	});

	test("the call then fails as its attempt did, at once", async () => {
		const server = await serving(busy);
		const watched = echoing(server.address, { maxTokens: 1, tokenRatio: 0.1 });
		const error = await errorOf(watched.client.echo({}));
		expect([error.code, error.rawMessage]).toEqual([Code.Unavailable, "busy"]);
		expect(watched.clock.now()).toBe(0);
	});

	test("first attempts always go", async () => {
		const server = await serving(busy);
		const watched = echoing(server.address, { maxTokens: 1, tokenRatio: 0.1 });
		for (const _ of "12345") await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(5);
	});

	test("pushback does not open it", async () => {
		const server = await serving(pushingBack("10"));
		const watched = echoing(server.address, { maxTokens: 1, tokenRatio: 0.1 });
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(1);
	});

	test("successes open it again", async () => {
		const server = await serving(busy, fine, fine, busy, fine);
		const watched = echoing(server.address, { maxTokens: 2, tokenRatio: 1 });
		await errorOf(watched.client.echo({}));
		await watched.client.echo({});
		expect(tokens(watched)).toBe(2);
		await watched.client.echo({});
		// 2 - 1 is the half.
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(4);
	});

	test("which is asked before the backoff: what happens during it stops nothing", async () => {
		const server = await serving(busy, fine);
		const watched = attempting<EchoServiceClient>(
			EchoService,
			server.address,
			{ retryPolicy },
			{ impatient: true },
		);
		after.push(() => watched[Symbol.asyncDispose]());
		const call = watched.client.echo({});
		await watched.until(() => watched.decisions.length === 1);
		while (watched.core.retryThrottle.allows) {
			watched.core.retryThrottle.failed();
		}
		await watched.clock.advance(100);
		await call;
	});
});

test("a resolver's service config sets the tokens anew, in proportion to what was left", async () => {
	const server = await serving(busy, busy, busy);
	const endpoints = [{ address: server.address }];
	const next = Promise.withResolvers<RetryThrottling | undefined>();
	const watched = echoing(
		{
			async *watch({ signal }): AsyncIterable<Resolution> {
				yield { endpoints };
				const retryThrottling = await next.promise;
				yield { endpoints, serviceConfig: { retryThrottling } };
				await new Promise((resolve) => {
					signal.addEventListener("abort", resolve);
				});
			},
		},
		{ maxTokens: 10, tokenRatio: 0.1 },
		{ retryPolicy: { ...retryPolicy, maxAttempts: 2 } },
	);
	await errorOf(watched.client.echo({}));
	expect(tokens(watched)).toBe(8);
	next.resolve({ maxTokens: 5, tokenRatio: 1 });
	await watched.clock.advance(0);
	expect(tokens(watched)).toBe(4);
});

/** A client of an idempotent method, with nothing but what is built in. */
interface Reading {
	read(request: object): Promise<object>;
}
const reading = serviceOf({ name: "Read", idempotency: "NO_SIDE_EFFECTS" });

/** Makes calls at an even rate, in fake time, and waits until all have come out. */
async function offer(
	watched: AttemptingClient<Reading>,
	calls: number,
	everyMs: number,
): Promise<void> {
	const outcomes: Promise<unknown>[] = [];
	for (let n = 0; n < calls; n++) {
		outcomes.push(watched.client.read({}).catch(() => {}));
		await watched.clock.advance(everyMs);
	}
	let left = outcomes.length;
	for (const outcome of outcomes) void outcome.then(() => left--);
	while (left > 0) {
		await new Promise((resolve) => setTimeout(resolve, 1));
		await watched.clock.advance(100);
	}
}

describe("a retry storm is impossible", () => {
	test("while all endpoints fail, they get less than 1.2 times the load that is offered, once the throttle has closed", async () => {
		const servers = [
			await serving(busy),
			await serving(busy),
			await serving(busy),
		];
		const load = (): number =>
			servers.reduce((sum, { seen }) => sum + seen.length, 0);
		const watched = attempting<Reading>(
			reading,
			staticResolver(servers.map(({ address }) => ({ address }))),
			{ outlierDetection: false },
			{ impatient: true },
		);
		after.push(() => watched[Symbol.asyncDispose]());
		await offer(watched, 60, 10);
		expect(watched.core.retryThrottle.allows).toBe(false);
		// Until then it may not have been more than what the tokens were for.
		expect(load()).toBeLessThanOrEqual(60 + 50);
		const before = load();
		await offer(watched, 500, 10);
		expect(load() - before).toBeLessThan(1.2 * 500);
	});

	test("nor while one call in ten goes well", async () => {
		let n = 0;
		const server = await serving((request) =>
			n++ % 10 === 0 ? fine(request) : busy(request),
		);
		const watched = attempting<Reading>(
			reading,
			server.address,
			{},
			{ impatient: true },
		);
		after.push(() => watched[Symbol.asyncDispose]());
		await offer(watched, 100, 10);
		const before = server.seen.length;
		await offer(watched, 500, 10);
		expect(server.seen.length - before).toBeLessThan(1.2 * 500);
	});

	test("and as long as only few fail, retries go", async () => {
		let n = 0;
		const server = await serving((request) =>
			n++ % 10 === 0 ? busy(request) : fine(request),
		);
		const watched = attempting<Reading>(
			reading,
			server.address,
			{},
			{
				impatient: true,
			},
		);
		after.push(() => watched[Symbol.asyncDispose]());
		await offer(watched, 300, 10);
		expect(watched.calls.every(({ code }) => code === undefined)).toBe(true);
	});
});
