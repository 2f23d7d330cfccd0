/** What hooks hear of the attempts of a call. */

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
	silent,
} from "../../../testdata/harness/attempts.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { ClientOptions } from "../options/client-options.ts";

const after: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

async function echoing(
	answers: readonly Answer[],
	options: ClientOptions = { retryPolicy },
	impatient = false,
): Promise<AttemptingClient<EchoServiceClient> & { server: ScriptedServer }> {
	const server = await answering(answers);
	const watched = attempting<EchoServiceClient>(
		EchoService,
		server.address,
		options,
		{ impatient },
	);
	after.push(
		() => server[Symbol.asyncDispose](),
		() => watched[Symbol.asyncDispose](),
	);
	return Object.assign(watched, { server });
}

const refused: Answer = ({ stream }) => stream.close(7);

describe("attemptStart and attemptEnd", () => {
	test("count the attempts of a call from 1 on, each with its own end", async () => {
		const watched = await echoing([busy, busy, fine]);
		await watched.client.echo({});
		expect(watched.starts.map(({ number }) => number)).toEqual([1, 2, 3]);
		expect(watched.starts.some(({ hedge }) => hedge)).toBe(false);
		expect(watched.ends).toEqual([
			{ number: 1, code: Code.Unavailable },
			{ number: 2, code: Code.Unavailable },
			{ number: 3, code: undefined },
		]);
		await watched.client.echo({});
		expect(watched.starts.at(-1)?.number).toBe(1);
	});

	test("count transparent retries, which the policy does not", async () => {
		const watched = await echoing([refused, busy, fine]);
		await watched.client.echo({});
		expect(watched.starts.map(({ number }) => number)).toEqual([1, 2, 3]);
		expect(watched.decisions.map(({ kind, reason }) => [kind, reason])).toEqual(
			[
				["transparent", `${watched.server.address} turned it away unseen`],
				["scheduled", "attempt 1 of 5 failed with unavailable"],
			],
		);
	});

	test("tell hedges from the first attempt, and those that were cancelled from those that failed", async () => {
		const watched = await echoing(
			[silent, busy, fine],
			{
				hedgingPolicy: {
					maxAttempts: 3,
					hedgingDelay: "0.5s",
					nonFatalStatusCodes: ["UNAVAILABLE"],
				},
			},
			true,
		);
		const call = watched.client.echo({});
		await watched.server.request(1);
		await watched.clock.advance(500);
		await call;
		expect(watched.starts.map(({ hedge }) => hedge)).toEqual([
			false,
			true,
			true,
		]);
		expect(watched.ends).toEqual([
			{ number: 2, code: Code.Unavailable },
			{ number: 3, code: undefined },
			{ number: 1, code: Code.Canceled },
		]);
	});
});

describe("callEnd", () => {
	test("counts the attempts that were sent, and has the code of the last", async () => {
		const watched = await echoing([busy, broken]);
		await errorOf(watched.client.echo({}));
		expect(watched.calls).toEqual([{ code: Code.Internal, attempts: 2 }]);
	});

	test("counts what went again transparently, if it had left", async () => {
		const watched = await echoing([refused, fine]);
		await watched.client.echo({});
		expect(watched.calls).toEqual([{ code: undefined, attempts: 2 }]);
	});

	test("comes once, at the end of all attempts, and its latency is that of the call", async () => {
		const latencies: number[] = [];
		const watched = await echoing([busy, busy, fine]);
		const { hooks } = watched.core.setting;
		hooks.callEnd = (_call, { latencyMs }) => latencies.push(latencyMs);
		await watched.client.echo({});
		expect(latencies).toEqual([300]);
	});
});

describe("retry", () => {
	test.each<[string, Answer[], string[][]]>([
		[
			"says when the next attempt goes, and why",
			[busy, pushingBack("7"), fine],
			[
				["scheduled", "100", "attempt 1 of 5 failed with unavailable"],
				["scheduled", "7", "the server said when to retry"],
			],
		],
		[
			"says why there is none though the code is retryable",
			[pushingBack("-1")],
			[["denied", "0", "the server said not to retry"]],
		],
		["says nothing of failures that are not", [broken], []],
		["says nothing of calls that go well", [fine], []],
	])("%s", async (_what, answers, told) => {
		const watched = await echoing(answers);
		await watched.client.echo({}).catch(() => {});
		expect(
			watched.decisions.map(({ kind, delayMs, reason }) => [
				kind,
				String(delayMs),
				reason,
			]),
		).toEqual(told);
	});

	test("says when all attempts have failed", async () => {
		const watched = await echoing([busy]);
		await errorOf(watched.client.echo({}));
		expect(watched.decisions.at(-1)).toEqual({
			kind: "denied",
			delayMs: 0,
			reason: "all 5 attempts have failed",
		});
		expect(watched.decisions).toHaveLength(5);
	});
});
