/** Hedging policies (gRFC A6), over real sockets and in fake time. */

import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
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
	type ScriptedServer,
	silent,
} from "../../../testdata/harness/attempts.ts";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import {
	answer,
	finish,
	frame,
	refuse,
	respond,
} from "../../../testdata/harness/http2-server.ts";
import { serviceOf } from "../../../testdata/harness/service-of.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import type { BalancerFactory, Subchannel } from "../../balancer/balancer.ts";
import { staticResolver } from "../../discovery/static.ts";
import type { HedgingPolicy } from "../../policy/retry/hedging-policy.ts";
import { THROTTLED } from "../../policy/retry/retry-throttle.ts";
import type { ClientOptions } from "../options/client-options.ts";

const CANCEL = 8;

const hedgingPolicy: HedgingPolicy = {
	maxAttempts: 3,
	hedgingDelay: "0.5s",
	nonFatalStatusCodes: ["UNAVAILABLE"],
};

function echoing(
	server: ScriptedServer,
	policy: Partial<HedgingPolicy> = {},
	options: ClientOptions = {},
): AttemptingClient<EchoServiceClient> {
	return attempting(
		EchoService,
		server.address,
		{ hedgingPolicy: { ...hedgingPolicy, ...policy }, ...options },
		{ impatient: true },
	);
}

function ordering(
	server: ScriptedServer,
	options: ClientOptions = {},
): AttemptingClient<OrderManagementClient> {
	return attempting(
		OrderManagement,
		server.address,
		{ hedgingPolicy, ...options },
		{ impatient: true },
	);
}

const saying =
	(text: string): Answer =>
	({ stream }) =>
		answer(stream, Buffer.from([10, text.length, ...Buffer.from(text)]));

describe("hedgingDelay", () => {
	test("is between one attempt and the next, up to maxAttempts", async () => {
		await using server = await answering([silent]);
		await using watched = echoing(server);
		const call = errorOf(watched.client.echo({}));
		await server.request(1);
		await watched.clock.advance(499);
		expect(watched.starts).toHaveLength(1);
		await watched.clock.advance(1);
		expect(watched.starts).toHaveLength(2);
		await watched.clock.advance(5_000);
		expect(watched.starts).toEqual([
			{ number: 1, at: 0, to: server.address, hedge: false },
			{ number: 2, at: 500, to: server.address, hedge: true },
			{ number: 3, at: 1000, to: server.address, hedge: true },
		]);
		await server.request(3);
		expect(
			server.seen.map(({ headers }) => headers["grpc-previous-rpc-attempts"]),
		).toEqual([undefined, "1", "2"]);
		await watched.clock.advance(10_000);
		expect((await call).code).toBe(Code.DeadlineExceeded);
	});

	test.each(["0s", undefined] as const)(
		"of %s sends all at once",
		async (hedgingDelay) => {
			await using server = await answering([silent, silent, fine]);
			await using watched = echoing(server, { hedgingDelay });
			await watched.client.echo({});
			expect(watched.times).toEqual([0, 0, 0]);
		},
	);

	test("counts from when an attempt was sent, not from when it began to wait", async () => {
		const ready = Promise.withResolvers<void>();
		await using server = await answering([silent]);
		await using watched = attempting<EchoServiceClient>(
			EchoService,
			{
				async *watch() {
					await ready.promise;
					yield { endpoints: [{ address: server.address }] };
				},
			},
			{ hedgingPolicy },
			{ impatient: true },
		);
		const call = errorOf(watched.client.echo({}));
		await watched.clock.advance(2_000);
		ready.resolve();
		await server.request(1);
		await watched.clock.advance(500);
		expect(watched.times).toEqual([2000, 2500]);
		await watched.core.close(0);
		await call;
	});

	test("is not waited for by a call that has been answered", async () => {
		await using server = await answering([fine]);
		await using watched = echoing(server);
		await watched.client.echo({});
		await watched.clock.advance(5_000);
		expect(server.seen).toHaveLength(1);
	});
});

describe("maxAttempts", () => {
	test("over 5 means 5", async () => {
		await using server = await answering([busy]);
		await using watched = echoing(server, { maxAttempts: 9 });
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(5);
	});

	test("has the channel's cap", async () => {
		await using server = await answering([busy]);
		await using watched = echoing(
			server,
			{ maxAttempts: 9 },
			{ maxAttempts: 7 },
		);
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(7);
	});
});

describe("the first OK", () => {
	test("wins, whichever attempt it is, and the rest are cancelled", async () => {
		await using server = await answering([silent, silent, saying("third")]);
		await using watched = echoing(server);
		const call = watched.client.echo({});
		await server.request(1);
		await watched.clock.advance(1_000);
		expect((await call).resp).toBe("third");
		expect(await server.seen[0]?.reset).toBe(CANCEL);
		expect(await server.seen[1]?.reset).toBe(CANCEL);
		expect(watched.ends).toEqual([
			{ number: 3, code: undefined },
			{ number: 1, code: Code.Canceled },
			{ number: 2, code: Code.Canceled },
		]);
		expect(watched.calls).toEqual([{ code: undefined, attempts: 3 }]);
	});

	test("of the first attempt wins, too, after hedges have been sent", async () => {
		await using server = await answering([silent]);
		await using watched = echoing(server);
		const call = watched.client.echo({});
		const first = await server.request(1);
		await watched.clock.advance(500);
		const second = await server.request(2);
		saying("first")(first);
		expect((await call).resp).toBe("first");
		expect(await second.reset).toBe(CANCEL);
		await watched.clock.advance(5_000);
		expect(server.seen).toHaveLength(2);
	});

	test("of a unary call is its status: headers and a message win nothing", async () => {
		const slow: Answer = ({ stream }) => {
			respond(stream);
			stream.write(frame());
		};
		await using server = await answering([slow, saying("second")]);
		await using watched = echoing(server);
		const call = watched.client.echo({});
		await server.request(1);
		await watched.clock.advance(500);
		expect((await call).resp).toBe("second");
	});
});

describe("a fatal code", () => {
	test("cancels all, and is returned", async () => {
		await using server = await answering([silent, broken]);
		await using watched = echoing(server);
		const call = errorOf(watched.client.echo({}));
		const first = await server.request(1);
		await watched.clock.advance(500);
		const error = await call;
		expect([error.code, error.rawMessage]).toEqual([Code.Internal, "broken"]);
		expect(await first.reset).toBe(CANCEL);
		await watched.clock.advance(5_000);
		expect(server.seen).toHaveLength(2);
	});

	test("is any, where nonFatalStatusCodes has none", async () => {
		await using server = await answering([busy]);
		await using watched = echoing(server, { nonFatalStatusCodes: undefined });
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(1);
	});
});

describe("a non-fatal code", () => {
	test("sends the next at once, and the cadence goes on from there", async () => {
		await using server = await answering([silent]);
		await using watched = echoing(server, { maxAttempts: 4 });
		const call = errorOf(watched.client.echo({}));
		const first = await server.request(1);
		await watched.clock.advance(300);
		refuse(first.stream, 14);
		await watched.until(() => watched.starts.length === 2);
		await watched.clock.advance(499);
		expect(watched.starts).toHaveLength(2);
		await watched.clock.advance(5_000);
		expect(watched.times).toEqual([0, 300, 800, 1300]);
		await watched.core.close(0);
		await call;
	});

	test("is the call's only when nothing is in flight or due", async () => {
		await using server = await answering([silent]);
		await using watched = echoing(server, { maxAttempts: 2 });
		const call = watched.client.echo({});
		const first = await server.request(1);
		await watched.clock.advance(500);
		const second = await server.request(2);
		refuse(second.stream, 14, "second");
		await watched.until(() => watched.decisions.length === 1);
		expect(watched.decisions).toEqual([
			{ kind: "denied", delayMs: 0, reason: "all 2 attempts are sent" },
		]);
		expect(watched.calls).toEqual([]);
		saying("first")(first);
		expect((await call).resp).toBe("first");
	});

	test("of all attempts is returned as the last one had it", async () => {
		await using server = await answering([
			({ stream }) => refuse(stream, 14, "one"),
			({ stream }) => refuse(stream, 14, "two"),
			({ stream }) => refuse(stream, 14, "three"),
		]);
		await using watched = echoing(server);
		const error = await errorOf(watched.client.echo({}));
		expect(error.rawMessage).toBe("three");
		expect(watched.times).toEqual([0, 0, 0]);
		expect(watched.decisions.map(({ kind }) => kind)).toEqual([
			"scheduled",
			"scheduled",
			"denied",
		]);
	});
});

describe("pushback", () => {
	test("that is negative lets no new hedge go, and those in flight go on", async () => {
		await using server = await answering([silent, pushingBack("-1")]);
		await using watched = echoing(server);
		const call = watched.client.echo({});
		const first = await server.request(1);
		await watched.clock.advance(500);
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(5_000);
		expect(server.seen).toHaveLength(2);
		saying("first")(first);
		expect((await call).resp).toBe("first");
		expect(watched.decisions).toEqual([
			{ kind: "denied", delayMs: 0, reason: "the server said not to retry" },
		]);
	});

	test("that is negative, with nothing in flight, ends the call", async () => {
		await using server = await answering([pushingBack("-1")]);
		await using watched = echoing(server);
		expect((await errorOf(watched.client.echo({}))).rawMessage).toBe("busy");
		expect(server.seen).toHaveLength(1);
	});

	test("after a negative one, a failure ends the call rather than send the next", async () => {
		await using server = await answering([silent, pushingBack("-1")]);
		await using watched = echoing(server);
		const call = errorOf(watched.client.echo({}));
		const first = await server.request(1);
		await watched.clock.advance(500);
		await watched.until(() => watched.decisions.length === 1);
		refuse(first.stream, 14, "first");
		expect((await call).rawMessage).toBe("first");
		expect(server.seen).toHaveLength(2);
	});

	test("that is positive sends the next after that long, and the cadence goes on from there", async () => {
		await using server = await answering([silent, pushingBack("2000"), silent]);
		await using watched = echoing(server, { maxAttempts: 4 });
		const call = errorOf(watched.client.echo({}));
		await server.request(1);
		await watched.clock.advance(500);
		await watched.until(() => watched.decisions.length === 1);
		expect(watched.decisions).toEqual([
			{
				kind: "scheduled",
				delayMs: 2000,
				reason: "the server said when to retry",
			},
		]);
		await watched.clock.advance(5_000);
		expect(watched.times).toEqual([0, 500, 2500, 3000]);
		await watched.core.close(0);
		await call;
	});

	test("that is positive is due, though nothing is in flight", async () => {
		await using server = await answering([pushingBack("2000"), fine]);
		await using watched = echoing(server);
		const call = watched.client.echo({});
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(1_999);
		expect(watched.calls).toEqual([]);
		await watched.clock.advance(1);
		await call;
		expect(watched.times).toEqual([0, 2000]);
	});

	test("never overrides maxAttempts", async () => {
		await using server = await answering([pushingBack("0")]);
		await using watched = echoing(server);
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(3);
	});
});

describe("a closed throttle", () => {
	/** Two tokens: one failure closes it, and a thousandth opens nothing. */
	const serviceConfig = {
		retryThrottling: { maxTokens: 2, tokenRatio: 0.001 },
	};

	test("lets the first attempt go, always, and keeps the next back", async () => {
		await using server = await answering([busy, silent]);
		await using watched = echoing(server, {}, { serviceConfig });
		// The throttle closes with this failure, and so does the call.
		expect((await errorOf(watched.client.echo({}))).rawMessage).toBe("busy");
		expect(watched.decisions.at(-1)?.reason).toBe(THROTTLED);

		const call = watched.client.echo({});
		const second = await server.request(2);
		await watched.clock.advance(5_000);
		expect(server.seen).toHaveLength(2);
		expect(watched.decisions.slice(1)).toEqual([
			{ kind: "denied", delayMs: 0, reason: THROTTLED },
		]);
		answer(second.stream);
		await call;
	});

	test("cancels a hedge that is due, and with nothing in flight the failure is returned", async () => {
		await using server = await answering([pushingBack("1000"), broken]);
		const policy = { maxTokens: 5, tokenRatio: 0.001 };
		await using watched = echoing(
			server,
			{},
			{
				serviceConfig: { retryThrottling: policy },
				methods: { echo: { hedgingPolicy } },
			},
		);
		const call = errorOf(watched.client.echo({}));
		await watched.until(() => watched.decisions.length === 1);
		// Others fail meanwhile.
		for (const _ of "12") watched.core.retryThrottle.failed();
		await watched.clock.advance(1_000);
		expect((await call).rawMessage).toBe("busy");
		expect(watched.decisions.at(-1)).toEqual({
			kind: "denied",
			delayMs: 0,
			reason: THROTTLED,
		});
		expect(server.seen).toHaveLength(1);
	});
});

describe("streams", () => {
	test("are hedged until one has response headers, which wins", async () => {
		const streaming: Answer = ({ stream }) => {
			respond(stream);
			stream.write(frame());
		};
		await using server = await answering([silent, streaming]);
		await using watched = ordering(server);
		const stream = watched.client.searchOrders({});
		await server.request(1);
		await watched.clock.advance(500);
		expect(await stream.recv()).toMatchObject({ id: "" });
		expect(await server.seen[0]?.reset).toBe(CANCEL);
		await watched.clock.advance(5_000);
		expect(server.seen).toHaveLength(2);
		const second = await server.request(2);
		second.stream.write(frame());
		finish(second.stream);
		expect(await stream.recv()).toBeDefined();
		expect(await stream.recv()).toBeUndefined();
	});

	test("send to every attempt what is written, before it and after", async () => {
		await using server = await answering([(request) => request.read()]);
		await using watched = ordering(server);
		const stream = watched.client.updateOrders.open();
		await stream.send({ id: "a" });
		const first = await server.request(1);
		await first.received(1);
		await watched.clock.advance(500);
		const second = await server.request(2);
		await stream.send({ id: "b" });
		const answered = stream.closeAndRecv();
		await Promise.all([first.whole, second.whole]);
		for (const { messages } of [first, second]) {
			expect(messages).toEqual(["\n\x01a", "\n\x01b"]);
		}
		answer(second.stream, "\n\x02ok");
		expect((await answered).value).toBe("ok");
		expect(await first.reset).toBe(CANCEL);
	});

	test("of which one reads slowly go on with the other", async () => {
		const [slow, quick] = [
			silent,
			(request: Parameters<Answer>[0]) => request.read(),
		];
		await using server = await answering([slow, quick]);
		await using watched = ordering(server, {
			hedgingPolicy: { ...hedgingPolicy, maxAttempts: 2, hedgingDelay: 0 },
		});
		const stream = watched.client.updateOrders.open();
		const description = "x".repeat(8_000);
		const second = await server.request(2);
		for (let n = 0; n < 24; n++)
			await stream.send({ id: String(n), description });
		await second.received(24);
		const answered = stream.closeAndRecv();
		await second.whole;
		answer(second.stream);
		await answered;
	});

	test("that outgrow what is kept go on with one attempt, and no new ones are made", async () => {
		await using server = await answering([(request) => request.read()]);
		await using watched = ordering(server, { retryBufferBytesPerCall: 100 });
		const stream = watched.client.updateOrders.open();
		await stream.send({ id: "a" });
		const first = await server.request(1);
		await watched.clock.advance(500);
		const second = await server.request(2);
		await stream.send({ id: "x".repeat(100) });
		expect(await second.reset).toBe(CANCEL);
		await watched.clock.advance(5_000);
		const answered = stream.closeAndRecv();
		await first.whole;
		expect(first.messages).toHaveLength(2);
		answer(first.stream);
		await answered;
		expect(server.seen).toHaveLength(2);
	});
});

describe("a call whose only message is larger than what is kept has one attempt", () => {
	test.each(["with a connection", "while it waits for one"])(
		"%s",
		async (when) => {
			await using server = await answering([silent]);
			await using watched = echoing(
				server,
				{},
				{ retryBufferBytesPerCall: 10 },
			);
			if (when === "with a connection") await watched.core.connect(undefined);
			const call = watched.client.echo({ mes: "x".repeat(10) });
			const { stream } = await server.request(1);
			await watched.clock.advance(5_000);
			expect(server.seen).toHaveLength(1);
			answer(stream);
			await call;
		},
	);
});

describe("which methods are hedged", () => {
	const anyService = serviceOf(
		{ name: "Read", idempotency: "NO_SIDE_EFFECTS" },
		"Create",
	);
	interface AnyClient {
		read(request: object): Promise<object>;
		create(request: object): Promise<object>;
	}

	test("none without a policy, idempotent or not", async () => {
		await using server = await answering([silent]);
		await using watched = attempting<AnyClient>(
			anyService,
			server.address,
			{},
			{ impatient: true },
		);
		const calls = [
			errorOf(watched.client.read({})),
			errorOf(watched.client.create({})),
		];
		await server.request(2);
		await watched.clock.advance(9_999);
		expect(server.seen).toHaveLength(2);
		await watched.clock.advance(1);
		await Promise.all(calls);
	});

	test("one that a policy names, whatever its idempotency_level", async () => {
		await using server = await answering([silent, fine]);
		await using watched = attempting<AnyClient>(
			anyService,
			server.address,
			{ methods: { create: { hedgingPolicy } } },
			{ impatient: true },
		);
		const call = watched.client.create({});
		await server.request(1);
		await watched.clock.advance(500);
		await call;
		expect(server.seen).toHaveLength(2);
	});
});

test("hedges prefer endpoints to which the call has not been sent yet", async () => {
	const servers = [
		await answering([silent]),
		await answering([silent]),
		await answering([silent]),
	];
	await using watched = attempting<EchoServiceClient>(
		EchoService,
		staticResolver(servers.map(({ address }) => ({ address }))),
		{ hedgingPolicy, balancer: untriedFirst },
		{ impatient: true },
	);
	await watched.core.connect(undefined);
	while (servers.some(({ sessions }) => sessions.size === 0)) await settled();
	const call = errorOf(watched.client.echo({}, { timeoutMs: 2_000 }));
	await watched.until(() => watched.starts.length === 1);
	await watched.clock.advance(2_000);
	await call;
	expect(watched.starts.map(({ to }) => to)).toEqual(
		servers.map(({ address }) => address),
	);
	for (const server of servers) await server[Symbol.asyncDispose]();
});

/** Always the first, but for those that a call has tried. */
const untriedFirst: BalancerFactory = (helper) => {
	const made: (Subchannel & { shutdown(): void })[] = [];
	return {
		update(endpoints) {
			for (const endpoint of endpoints) {
				const subchannel = helper.createSubchannel(endpoint, () => {
					if (!made.every(({ state }) => state === "ready")) return;
					helper.publish("ready", {
						pick({ tried }) {
							const subchannel = made.find((one) => !tried.has(one)) ?? made[0];
							return subchannel === undefined
								? { kind: "wait" }
								: { kind: "subchannel", subchannel };
						},
					});
				});
				made.push(subchannel);
			}
			for (const subchannel of made) subchannel.connect();
		},
		exitIdle() {},
		close() {
			for (const subchannel of made) subchannel.shutdown();
		},
	};
};

test("a hedge whose pick is dropped ends no call that another attempt may still win", async () => {
	await using server = await answering([silent]);
	let picks = 0;
	await using watched = echoing(
		server,
		{},
		{
			balancer: (helper) => {
				let shutdown = (): void => {};
				return {
					update([endpoint]) {
						if (endpoint === undefined) return;
						const subchannel = helper.createSubchannel(endpoint, (state) => {
							if (state !== "ready") return;
							helper.publish(state, {
								pick: () =>
									picks++ === 0
										? { kind: "subchannel", subchannel }
										: { kind: "drop", error: new Error("over the limit") },
							});
						});
						shutdown = () => subchannel.shutdown();
						subchannel.connect();
					},
					exitIdle() {},
					close: () => shutdown(),
				};
			},
		},
	);
	await watched.core.connect(undefined);
	const call = watched.client.echo({});
	const first = await server.request(1);
	await watched.clock.advance(2_000);
	saying("first")(first);
	expect((await call).resp).toBe("first");
});
