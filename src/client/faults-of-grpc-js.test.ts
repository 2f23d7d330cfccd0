/** Mistakes that grpc-js 1.14.7 makes with a service config, and that homing does not make. */

import { Code } from "@connectrpc/connect";
import { afterEach, expect, test } from "vitest";
import {
	type Answer,
	type AttemptingClient,
	answering,
	attempting,
	busy,
	errorOf,
	fine,
	pushingBack,
	retryPolicy,
	type ScriptedServer,
	silent,
} from "../../testdata/harness/attempts.ts";
import { answer } from "../../testdata/harness/http2-server.ts";
import { EchoService } from "../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../testdata/services/gen/echo/echo_rpc.ts";
import type { MethodPolicy } from "../policy/method-policy.ts";
import type { RetryThrottling } from "../policy/service-config.ts";

const after: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

/** A client with a policy from a service config. */
async function configured(
	answers: readonly Answer[],
	policy: MethodPolicy,
	retryThrottling?: RetryThrottling,
): Promise<AttemptingClient<EchoServiceClient> & { server: ScriptedServer }> {
	const server = await answering(answers);
	const methodConfig = [{ name: [{ service: "echo.EchoService" }], ...policy }];
	const watched = attempting<EchoServiceClient>(
		EchoService,
		server.address,
		{ serviceConfig: { methodConfig, retryThrottling } },
		{ impatient: true },
	);
	after.push(
		() => server[Symbol.asyncDispose](),
		() => watched[Symbol.asyncDispose](),
	);
	return Object.assign(watched, { server });
}

const hedgingPolicy = {
	maxAttempts: 3,
	hedgingDelay: "0.5s",
	nonFatalStatusCodes: ["UNAVAILABLE"],
} as const;

test('a timeout of "0.5s" is 500 ms, and so are a backoff and a hedgingDelay', async () => {
	const timed = await configured([silent], { timeout: "0.5s" });
	const call = errorOf(timed.client.echo({}));
	const request = await timed.server.request(1);
	expect(request.headers["grpc-timeout"]).toBe("500000u");
	await timed.clock.advance(499);
	expect(timed.calls).toEqual([]);
	await timed.clock.advance(1);
	expect((await call).code).toBe(Code.DeadlineExceeded);

	const halfASecond = { initialBackoff: "0.5s", maxBackoff: "0.5s" } as const;
	const retried = await configured([busy, fine], {
		retryPolicy: { ...retryPolicy, ...halfASecond },
	});
	const retriedCall = retried.client.echo({});
	await retried.until(() => retried.decisions.length === 1);
	expect(retried.decisions[0]?.delayMs).toBe(500);
	await retried.clock.advance(500);
	await retriedCall;

	const hedged = await configured([silent, fine], { hedgingPolicy });
	const hedgedCall = hedged.client.echo({});
	await hedged.server.request(1);
	await hedged.clock.advance(500);
	await hedgedCall;
	expect(hedged.times).toEqual([0, 500]);
});

test("pushback that is not a number means no retry, rather than a retry at once", async () => {
	const { client, clock, server } = await configured(
		[pushingBack("soon"), fine],
		{ retryPolicy },
	);
	expect((await errorOf(client.echo({}))).code).toBe(Code.Unavailable);
	await clock.advance(10_000);
	expect(server.seen).toHaveLength(1);
});

test("no hedges are sent while the throttle is closed", async () => {
	const watched = await configured(
		[busy, silent],
		{ hedgingPolicy },
		{ maxTokens: 2, tokenRatio: 0.1 },
	);
	await errorOf(watched.client.echo({}));
	const call = watched.client.echo({});
	const request = await watched.server.request(2);
	await watched.clock.advance(5_000);
	expect(watched.server.seen).toHaveLength(2);
	answer(request.stream);
	await call;
});

test("negative pushback stops further hedges, and leaves the one in flight alone", async () => {
	const watched = await configured([silent, pushingBack("-1")], {
		hedgingPolicy,
	});
	const call = watched.client.echo({});
	const first = await watched.server.request(1);
	await watched.clock.advance(500);
	await watched.until(() => watched.decisions.length === 1);
	await watched.clock.advance(5_000);
	expect(watched.server.seen).toHaveLength(2);
	answer(first.stream, "\n\x05first");
	expect((await call).resp).toBe("first");
});

test("waitForReady in a service config makes calls wait for a connection", async () => {
	const probe = await answering([fine]);
	const { port } = probe;
	await probe[Symbol.asyncDispose]();
	const target = `ipv4:127.0.0.1:${port}`;
	const calling = (
		waitForReady: boolean,
	): AttemptingClient<EchoServiceClient> => {
		const watched = attempting<EchoServiceClient>(EchoService, target, {
			serviceConfig: {
				methodConfig: [{ name: [{}], waitForReady, retryPolicy }],
			},
		});
		after.push(() => watched[Symbol.asyncDispose]());
		return watched;
	};
	await errorOf(calling(false).client.echo({}));

	const waiting = calling(true);
	const call = waiting.client.echo({});
	while (waiting.core.state !== "transientFailure") {
		await waiting.clock.advance(0);
	}
	const server = await answering([fine], { at: port });
	after.push(() => server[Symbol.asyncDispose]());
	await waiting.clock.advance(2_000);
	await call;
	expect(waiting.decisions).toEqual([]);
});

test("maxResponseMessageBytes in a service config limits received messages", async () => {
	const sized =
		(bytes: number): Answer =>
		({ stream }) =>
			answer(
				stream,
				Buffer.concat([Buffer.of(10, bytes - 2), Buffer.alloc(bytes - 2, "x")]),
			);
	const limit = { maxResponseMessageBytes: 100 };
	const within = await configured([sized(100)], limit);
	expect((await within.client.echo({})).resp).toHaveLength(98);
	const beyond = await configured([sized(101)], limit);
	expect((await errorOf(beyond.client.echo({}))).code).toBe(
		Code.ResourceExhausted,
	);
});
