/** One deadline, and one cancellation, for all attempts of a call. */

import { getEventListeners } from "node:events";
import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import {
	type Answer,
	type AttemptingClient,
	answering,
	attempting,
	busy,
	errorOf,
	fine,
	pushingBack,
	type ScriptedServer,
	silent,
} from "../../../testdata/harness/attempts.ts";
import {
	frame,
	refuse,
	respond,
} from "../../../testdata/harness/http2-server.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import type { RetryPolicy } from "../../policy/retry/retry-policy.ts";
import type { ClientOptions } from "../options/client-options.ts";

const CANCEL = 8;

/** Every 800 ms. */
const retryPolicy: RetryPolicy = {
	maxAttempts: 5,
	initialBackoff: "0.8s",
	maxBackoff: "0.8s",
	backoffMultiplier: 1,
	retryableStatusCodes: ["UNAVAILABLE"],
};
const hedgingPolicy = { maxAttempts: 3, hedgingDelay: "0.5s" } as const;

const after: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

type Made<T> = AttemptingClient<T> & { server: ScriptedServer };

async function echoing(
	answers: readonly Answer[],
	options: ClientOptions = { retryPolicy },
): Promise<Made<EchoServiceClient>> {
	const server = await answering(answers);
	const watched = attempting<EchoServiceClient>(
		EchoService,
		server.address,
		options,
		{ impatient: true },
	);
	after.push(
		() => server[Symbol.asyncDispose](),
		() => watched[Symbol.asyncDispose](),
	);
	return Object.assign(watched, { server });
}

/** Takes the call's backoffs one by one, until there are so many decisions. */
async function takeBackoffs(watched: Made<unknown>, count: number) {
	for (let n = 1; n <= count; n++) {
		await watched.until(() => watched.decisions.length === n);
		await watched.clock.advance(watched.decisions[n - 1]?.delayMs ?? 0);
	}
}

describe("the deadline", () => {
	test("is one for all attempts and backoffs, and in a backoff says how many attempts there were", async () => {
		const watched = await echoing([busy]);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 2_000 }));
		await takeBackoffs(watched, 2);
		await watched.until(() => watched.decisions.length === 3);
		expect(watched.clock.now()).toBe(1600);
		await watched.clock.advance(399);
		expect(watched.calls).toEqual([]);
		await watched.clock.advance(1);
		const error = await call;
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(error.rawMessage).toBe(
			"the deadline of 2 s passed after 3 attempts; last: [unavailable] busy",
		);
	});

	test("in the first backoff says that there was one", async () => {
		const watched = await echoing([busy]);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 500 }));
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(500);
		expect((await call).rawMessage).toBe(
			"the deadline of 500 ms passed after 1 attempt; last: [unavailable] busy",
		);
	});

	test("in flight says in which attempt, and what became of those before; the stream is reset", async () => {
		const watched = await echoing([busy, silent]);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 1_000 }));
		await takeBackoffs(watched, 1);
		const second = await watched.server.request(2);
		await watched.clock.advance(200);
		expect((await call).rawMessage).toBe(
			`the deadline of 1 s passed in attempt 2 while waiting for an answer from ${watched.server.address}; last: [unavailable] busy`,
		);
		expect(await second.reset).toBe(CANCEL);
	});

	test.each<[string, Answer]>([
		["resets the stream", ({ stream }) => stream.close(CANCEL)],
		[
			"says CANCELLED",
			({ stream }) => refuse(stream, Code.Canceled, "Timeout expired"),
		],
	])(
		"is what has passed when the server notices first, and %s",
		async (_, end) => {
			const watched = await echoing([silent]);
			const call = errorOf(watched.client.echo({}, { timeoutMs: 1_000 }));
			const request = await watched.server.request(1);
			watched.clock.jump(1_000);
			end(request);
			await expect
				.poll(() => JSON.stringify(watched.core.snapshot()))
				.toContain('"openCalls":0');
			await watched.clock.advance(0);
			const { code, rawMessage } = await call;
			expect(code).toBe(Code.DeadlineExceeded);
			expect(rawMessage).toContain("the deadline of 1 s passed");
		},
	);

	test("is not what has passed when the server resets the stream before it", async () => {
		const watched = await echoing([silent]);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 1_000 }));
		const { stream } = await watched.server.request(1);
		watched.clock.jump(999);
		stream.close(CANCEL);
		expect((await call).code).toBe(Code.Canceled);
	});

	test("after response headers says so", async () => {
		const server = await answering([
			busy,
			({ stream }) => {
				respond(stream);
				stream.write(frame());
			},
		]);
		await using watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
			{ retryPolicy },
		);
		after.push(() => server[Symbol.asyncDispose]());
		const stream = watched.client.searchOrders({}, { timeoutMs: 1_000 });
		await stream.recv();
		const error = errorOf(stream.recv());
		await watched.clock.advance(200);
		expect((await error).rawMessage).toBe(
			`the deadline of 1 s passed in attempt 2 after response headers from ${server.address} had arrived; last: [unavailable] busy`,
		);
	});

	test("while waiting for a connection says to what, and why there is none", async () => {
		const watched = await echoing([silent], {
			retryPolicy,
			waitForReady: true,
		});
		const call = errorOf(watched.client.echo({}, { timeoutMs: 3_000 }));
		await watched.server.request(1);
		await watched.clock.advance(2_000);
		await watched.server[Symbol.asyncDispose]();
		after.shift();
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(800);
		while (watched.core.state !== "transientFailure") {
			await watched.clock.advance(0);
		}
		await watched.clock.advance(200);
		const { address } = watched.server;
		expect((await call).rawMessage).toBe(
			`the deadline of 3 s passed in attempt 2 while waiting for a connection to ${address}; last: connect ECONNREFUSED ${address}`,
		);
	});

	test("with hedges under way says how many, and cancels all", async () => {
		const watched = await echoing([silent], { hedgingPolicy });
		const call = errorOf(watched.client.echo({}, { timeoutMs: 700 }));
		await watched.server.request(1);
		await watched.clock.advance(500);
		await watched.server.request(2);
		await watched.clock.advance(200);
		expect((await call).rawMessage).toBe(
			`the deadline of 700 ms passed with 2 attempts under way, the first while waiting for an answer from ${watched.server.address}`,
		);
		for (const { reset } of watched.server.seen) {
			expect(await reset).toBe(CANCEL);
		}
	});

	test("is what the grpc-timeout of each attempt counts down to", async () => {
		const watched = await echoing([busy, busy, fine]);
		const call = watched.client.echo({}, { timeoutMs: 2_000 });
		await takeBackoffs(watched, 2);
		await call;
		expect(
			watched.server.seen.map(({ headers }) => headers["grpc-timeout"]),
		).toEqual(["2000000u", "1200000u", "400000u"]);
	});

	test("is what the grpc-timeout of each hedge counts down to", async () => {
		const watched = await echoing([silent, silent, fine], { hedgingPolicy });
		const call = watched.client.echo({}, { timeoutMs: 2_000 });
		await watched.server.request(1);
		await watched.clock.advance(1_000);
		await call;
		expect(
			watched.server.seen.map(({ headers }) => headers["grpc-timeout"]),
		).toEqual(["2000000u", "1500000u", "1000000u"]);
	});

	test("goes before pushback that lasts longer", async () => {
		const watched = await echoing([pushingBack("60000")]);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 1_000 }));
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(1_000);
		expect((await call).code).toBe(Code.DeadlineExceeded);
	});

	test("at the very moment of a retry goes before it", async () => {
		const watched = await echoing([busy]);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 800 }));
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(800);
		expect((await call).code).toBe(Code.DeadlineExceeded);
		expect(watched.starts).toHaveLength(1);
	});

	test("covers resolution, too: what a failing resolver takes is not there for attempts", async () => {
		const server = await answering([busy, fine]);
		after.push(() => server[Symbol.asyncDispose]());
		const resolved = Promise.withResolvers<void>();
		const slow: Resolver = {
			async *watch() {
				await resolved.promise;
				yield { endpoints: [{ address: server.address }] };
			},
		};
		await using watched = attempting<EchoServiceClient>(
			EchoService,
			slow,
			{ retryPolicy },
			{ impatient: true },
		);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 1_000 }));
		await watched.clock.advance(500);
		resolved.resolve();
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(500);
		expect((await call).code).toBe(Code.DeadlineExceeded);
		expect(server.seen[0]?.headers["grpc-timeout"]).toBe("500000u");
	});
});

describe("nothing more is sent", () => {
	/** Time for all that might still be sent. */
	async function quiet(watched: Made<unknown>, sent: number): Promise<void> {
		await watched.clock.advance(60_000);
		expect(watched.starts).toHaveLength(sent);
	}

	test("after the deadline, in a backoff", async () => {
		const watched = await echoing([busy]);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 500 }));
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(500);
		await call;
		await quiet(watched, 1);
	});

	test("after a cancel in a backoff, which is heard at once, with its reason", async () => {
		const watched = await echoing([busy]);
		const cancel = new AbortController();
		const { signal } = cancel;
		const call = errorOf(watched.client.echo({}, { signal }));
		await watched.until(() => watched.decisions.length === 1);
		const reason = new Error("changed my mind");
		cancel.abort(reason);
		const error = await call;
		expect(error.code).toBe(Code.Canceled);
		expect(error.cause).toBe(reason);
		expect(getEventListeners(signal, "abort")).toEqual([]);
		await quiet(watched, 1);
	});

	test("after a cancel in flight, and the stream is reset", async () => {
		const watched = await echoing([busy, silent]);
		const cancel = new AbortController();
		const { signal } = cancel;
		const call = errorOf(watched.client.echo({}, { signal }));
		await takeBackoffs(watched, 1);
		const second = await watched.server.request(2);
		cancel.abort();
		expect((await call).code).toBe(Code.Canceled);
		expect(await second.reset).toBe(CANCEL);
		await quiet(watched, 2);
	});

	test("after a cancel between hedges, and all are reset", async () => {
		const watched = await echoing([silent], { hedgingPolicy });
		const cancel = new AbortController();
		const { signal } = cancel;
		const call = errorOf(watched.client.echo({}, { signal }));
		await watched.server.request(1);
		await watched.clock.advance(500);
		await watched.server.request(2);
		cancel.abort();
		await call;
		for (const { reset } of watched.server.seen) {
			expect(await reset).toBe(CANCEL);
		}
		await quiet(watched, 2);
	});

	test("after AbortSignal.timeout has fired in a backoff: that is a deadline", async () => {
		const watched = await echoing([busy]);
		const call = errorOf(
			watched.client.echo({}, { signal: AbortSignal.timeout(250) }),
		);
		expect((await call).code).toBe(Code.DeadlineExceeded);
		await quiet(watched, 1);
	});

	test("after the channel was closed in a backoff", async () => {
		const watched = await echoing([busy]);
		const call = errorOf(watched.client.echo({}));
		await watched.until(() => watched.decisions.length === 1);
		await watched.core.close(0);
		expect((await call).rawMessage).toBe("the channel has been closed");
		await quiet(watched, 1);
	});

	test("after a stream was cancelled in a backoff", async () => {
		const server = await answering([busy]);
		after.push(() => server[Symbol.asyncDispose]());
		await using watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
			{ retryPolicy },
			{ impatient: true },
		);
		const stream = watched.client.updateOrders.open();
		await watched.until(() => watched.decisions.length === 1);
		const sending = errorOf(stream.send({}));
		stream.cancel("enough");
		expect((await sending).code).toBe(Code.Canceled);
		await expect(stream.send({})).rejects.toThrow();
		await watched.clock.advance(60_000);
		expect(watched.starts).toHaveLength(1);
	});
});

describe("a hook that cancels the call is obeyed at once", () => {
	type Hook = "attemptStart" | "attemptEnd" | "retry";
	const refused: Answer = ({ stream }) => stream.close(7);

	test.each<[string, Hook, Answer[], ClientOptions, number]>([
		["attemptStart: nothing is sent", "attemptStart", [fine], {}, 0],
		["attemptEnd: no retry", "attemptEnd", [busy], { retryPolicy }, 1],
		["attemptEnd: no transparent retry", "attemptEnd", [refused], {}, 1],
		["retry, scheduled: no retry", "retry", [busy], { retryPolicy }, 1],
		["retry, transparent: nothing goes again", "retry", [refused], {}, 1],
		[
			"retry, at once: nothing goes",
			"retry",
			[pushingBack("0")],
			{ retryPolicy },
			1,
		],
		[
			"retry, of a hedge: nothing goes",
			"retry",
			[busy],
			{ hedgingPolicy: { ...hedgingPolicy, nonFatalStatusCodes: [14] } },
			1,
		],
	])("%s", async (_what, hook, answers, options, sent) => {
		const watched = await echoing(answers, options);
		const { hooks } = watched.core.setting;
		await watched.core.connect(undefined);
		const idle = watched.clock.pending;
		const cancel = new AbortController();
		const { signal } = cancel;
		hooks[hook] = () => cancel.abort(new Error("enough"));
		const error = await errorOf(watched.client.echo({}, { signal }));
		expect(error.code).toBe(Code.Canceled);
		expect(watched.clock.pending).toBe(idle);
		expect(watched.decisions).toEqual([]);
		await watched.clock.advance(1_000);
		expect(watched.server.seen).toHaveLength(sent);
		expect(watched.core.snapshot()).toMatchObject({ retryBufferBytes: 0 });
	});
});

describe("the error of a call that gives up", () => {
	test("has the server's words as they are", async () => {
		const watched = await echoing([busy]);
		const call = errorOf(watched.client.echo({}));
		await takeBackoffs(watched, 4);
		expect((await call).rawMessage).toBe("busy");
	});

	test("tells how many attempts there were, where no server says anything", async () => {
		const watched = await echoing([({ stream }) => stream.close(2)], {
			retryPolicy: { ...retryPolicy, retryableStatusCodes: ["INTERNAL"] },
		});
		const call = errorOf(watched.client.echo({}));
		await takeBackoffs(watched, 4);
		expect((await call).rawMessage).toBe(
			`${watched.server.address}: the server reset the stream (INTERNAL_ERROR); gave up after 5 attempts`,
		);
	});
});
