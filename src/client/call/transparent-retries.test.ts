/** Requests that no server has acted on go again, whatever the policy (gRFC A6, "Transparent Retries"). */

import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import {
	type Answer,
	type Attempting,
	type AttemptingClient,
	answering,
	attempting,
	busy,
	errorOf,
	fine,
	retryPolicy,
	silent,
} from "../../../testdata/harness/attempts.ts";
import { answer } from "../../../testdata/harness/http2-server.ts";
import {
	type RawServer,
	type RawStream,
	startRawServer,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { staticResolver } from "../../discovery/static.ts";
import { THROTTLED } from "../../policy/retry/retry-throttle.ts";
import { endOfLoss } from "../../wire/call-end.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import { Http2Code } from "../../wire/http2-code.ts";
import { type Connect, connectOver } from "../endpoint/connect.ts";
import { dialPlaintext } from "../endpoint/dial.ts";
import type { ClientOptions } from "../options/client-options.ts";

const refused: Answer = ({ stream }) => stream.close(Http2Code.REFUSED_STREAM);

const after: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

function echoing(
	address: string,
	options: ClientOptions = {},
	time: Attempting = {},
): AttemptingClient<EchoServiceClient> {
	const made = attempting<EchoServiceClient>(
		EchoService,
		address,
		options,
		time,
	);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

/** A throttle that one failure closes. */
const tight = { retryThrottling: { maxTokens: 1, tokenRatio: 0.001 } };

describe("an attempt that never left the client", () => {
	/** Real connections, on which the first requests to be opened miscarry: so many, and then none. */
	function miscarrying(
		count: number,
		afterwards: (miscarry: () => void) => void = queueMicrotask,
	): Connect & { opened: number } {
		const real = connectOver(dialPlaintext);
		const connect: Connect = async (...args) => {
			const connection = await real(...args);
			const start: ClientConnection["start"] = (begun, listener) => {
				made.opened += 1;
				if (made.opened > count) return connection.start(begun, listener);
				const cause = new Error("the connection is ending");
				let cancelled = false;
				afterwards(() => {
					if (!cancelled) listener.end(endOfLoss(cause, "miscarried", []));
				});
				const nothing = (): void => {};
				return {
					send: () => true,
					end: nothing,
					cancel: () => {
						cancelled = true;
					},
					hold: nothing,
					release: nothing,
				};
			};
			return new Proxy(connection, {
				get: (target, name) => {
					if (name === "start") return start;
					const value = Reflect.get(target, name, target);
					return typeof value === "function" ? value.bind(target) : value;
				},
			});
		};
		const made = Object.assign(connect, { opened: 0 });
		return made;
	}

	test("goes again without limit, is not counted, and costs no token", async () => {
		await using server = await answering([fine]);
		const connect = miscarrying(50);
		const watched = echoing(
			server.address,
			{ retryPolicy, serviceConfig: tight },
			{ connect },
		);
		await watched.client.echo({});
		expect(connect.opened).toBe(51);
		expect(server.seen).toHaveLength(1);
		expect(
			server.seen[0]?.headers["grpc-previous-rpc-attempts"],
		).toBeUndefined();
		expect(watched.decisions).toEqual(
			Array(50).fill({
				kind: "transparent",
				delayMs: 0,
				reason: `did not reach ${server.address}`,
			}),
		);
		expect(watched.calls).toEqual([{ code: undefined, attempts: 1 }]);
		expect(watched.core.retryThrottle.allows).toBe(true);
	});

	test("leaves all of its policy's attempts to those that do leave", async () => {
		await using server = await answering([busy]);
		const watched = echoing(
			server.address,
			{ retryPolicy },
			{ connect: miscarrying(3) },
		);
		await errorOf(watched.client.echo({}));
		expect(
			server.seen.map(({ headers }) => headers["grpc-previous-rpc-attempts"]),
		).toEqual([undefined, "1", "2", "3", "4"]);
		expect(watched.calls[0]?.attempts).toBe(5);
	});

	test("goes again without a policy, and until the deadline; nothing is sent after that", async () => {
		await using server = await answering([fine]);
		const connect = miscarrying(Infinity, (miscarry) =>
			setTimeout(miscarry, 1),
		);
		const watched = echoing(
			server.address,
			{ retryPolicy: false },
			{ connect, impatient: true },
		);
		const call = errorOf(watched.client.echo({}, { timeoutMs: 1_000 }));
		for (let n = 1; n <= 10; n++) {
			await watched.until(() => watched.decisions.length === n);
			await watched.clock.advance(n < 10 ? 0 : 1_000);
		}
		expect((await call).code).toBe(Code.DeadlineExceeded);
		const { opened } = connect;
		await watched.clock.advance(1_000);
		expect(connect.opened).toBe(opened);
		expect(server.seen).toEqual([]);
	});

	test("cancelled while it is about to go again, does not, and leaves no timer", async () => {
		await using server = await answering([fine]);
		const connect = miscarrying(1);
		const watched = echoing(server.address, {}, { connect, impatient: true });
		await watched.core.connect(undefined);
		const idle = watched.clock.pending;
		const cancel = new AbortController();
		const { signal } = cancel;
		const call = errorOf(watched.client.echo({}, { signal }));
		await watched.until(() => watched.decisions.length === 1);
		cancel.abort();
		expect((await call).code).toBe(Code.Canceled);
		expect(watched.clock.pending).toBe(idle);
		await watched.clock.advance(1_000);
		expect(server.seen).toEqual([]);
	});

	test("takes what a stream has written with it", async () => {
		await using server = await answering([
			(request) => {
				request.read();
				void request.whole.then(() => answer(request.stream, "\n\x02ok"));
			},
		]);
		const watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
			{},
			{ connect: miscarrying(2) },
		);
		after.push(() => watched[Symbol.asyncDispose]());
		const { value } = await watched.client.updateOrders([
			{ id: "a" },
			{ id: "b" },
		]);
		expect(value).toBe("ok");
		expect(server.seen[0]?.messages).toEqual(["\n\x01a", "\n\x01b"]);
	});
});

describe("REFUSED_STREAM", () => {
	test("sends the attempt again once, at once, without a policy, and counts for nothing", async () => {
		await using server = await answering([refused, fine]);
		const watched = echoing(
			server.address,
			{ retryPolicy: false, serviceConfig: tight },
			{ impatient: true },
		);
		await watched.client.echo({});
		expect(watched.times).toEqual([0, 0]);
		expect(
			server.seen.map(({ headers }) => headers["grpc-previous-rpc-attempts"]),
		).toEqual([undefined, undefined]);
		expect(watched.decisions).toEqual([
			{
				kind: "transparent",
				delayMs: 0,
				reason: `${server.address} turned it away unseen`,
			},
		]);
		expect(watched.core.retryThrottle.allows).toBe(true);
		// They did leave.
		expect(watched.calls).toEqual([{ code: undefined, attempts: 2 }]);
	});

	test("for the second time is a failure like others: without a policy the call's", async () => {
		await using server = await answering([refused]);
		const watched = echoing(server.address, { retryPolicy: false });
		const error = await errorOf(watched.client.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toMatch(/REFUSED_STREAM/);
		expect(server.seen).toHaveLength(2);
	});

	test("for the second time is the policy's to retry, after its backoff, and takes a token", async () => {
		await using server = await answering([refused, refused, refused, fine]);
		const watched = echoing(server.address, { retryPolicy });
		await watched.client.echo({});
		expect(watched.times).toEqual([0, 0, 100, 300]);
		expect(
			server.seen.map(({ headers }) => headers["grpc-previous-rpc-attempts"]),
		).toEqual([undefined, undefined, "1", "2"]);
	});

	test("after a retry is once at once, too, with the number of the attempt that it was", async () => {
		await using server = await answering([busy, refused, fine]);
		const watched = echoing(server.address, { retryPolicy });
		await watched.client.echo({});
		expect(watched.times).toEqual([0, 100, 100]);
		expect(
			server.seen.map(({ headers }) => headers["grpc-previous-rpc-attempts"]),
		).toEqual([undefined, "1", "1"]);
	});

	test("of the first attempt, after a hedge, keeps the number of the first", async () => {
		await using server = await answering([silent, silent, fine]);
		const watched = echoing(
			server.address,
			{ hedgingPolicy: { maxAttempts: 2, hedgingDelay: "0.5s" } },
			{ impatient: true },
		);
		const call = watched.client.echo({});
		const first = await server.request(1);
		await watched.clock.advance(500);
		await server.request(2);
		first.stream.close(Http2Code.REFUSED_STREAM);
		await call;
		expect(
			server.seen.map(({ headers }) => headers["grpc-previous-rpc-attempts"]),
		).toEqual([undefined, "1", undefined]);
		expect(watched.starts.map(({ hedge }) => hedge)).toEqual([
			false,
			true,
			false,
		]);
	});

	test("goes to another endpoint, if there is one", async () => {
		await using one = await answering([refused]);
		await using other = await answering([refused]);
		const watched = attempting<EchoServiceClient>(
			EchoService,
			staticResolver([{ address: one.address }, { address: other.address }]),
			{ balancer: "round_robin", retryPolicy: false },
		);
		after.push(() => watched[Symbol.asyncDispose]());
		await watched.core.connect(undefined);
		while (one.sessions.size + other.sessions.size < 2) {
			await watched.clock.advance(0);
		}
		await errorOf(watched.client.echo({}));
		expect([one.seen.length, other.seen.length]).toEqual([1, 1]);
	});

	test("goes again when the throttle is closed", async () => {
		await using server = await answering([busy, refused, fine]);
		const watched = echoing(server.address, {
			retryPolicy,
			serviceConfig: tight,
		});
		await errorOf(watched.client.echo({}));
		expect(watched.decisions[0]?.reason).toBe(THROTTLED);
		await watched.client.echo({});
		expect(server.seen).toHaveLength(3);
	});

	test("of a stream replays what was written", async () => {
		await using server = await answering([
			refused,
			(request) => {
				request.read();
				void request.whole.then(() => answer(request.stream));
			},
		]);
		const watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
		);
		after.push(() => watched[Symbol.asyncDispose]());
		const stream = watched.client.updateOrders.open();
		await stream.send({ id: "a" });
		await watched.until(() => watched.decisions.length === 1);
		await stream.send({ id: "b" });
		await stream.closeAndRecv();
		expect(server.seen[1]?.messages).toEqual(["\n\x01a", "\n\x01b"]);
	});

	test("once response headers have come is no longer transparent", async () => {
		await using server = await answering([
			({ stream }) => {
				stream.respond({ ":status": 200, "content-type": "application/grpc" });
				stream.write("", () => stream.close(Http2Code.REFUSED_STREAM));
			},
		]);
		const watched = echoing(server.address, { retryPolicy });
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(1);
	});
});

describe("GOAWAY", () => {
	async function rawServer(
		onRequest: (stream: RawStream, n: number) => void,
	): Promise<RawServer> {
		let n = 0;
		const server = await startRawServer({
			onRequest: (stream) => onRequest(stream, ++n),
		});
		after.push(() => server.stop());
		return server;
	}

	function answerRaw(stream: RawStream): void {
		stream.headers([
			[":status", "200"],
			["content-type", "application/grpc"],
		]);
		stream.data(Buffer.alloc(5));
		stream.headers([["grpc-status", "0"]], true);
	}

	test("whose last stream id is lower sends the attempt again once, at once, on a new connection", async () => {
		const server = await rawServer((stream, n) => {
			if (n === 1) stream.connection.goAway(0, Http2Code.NO_ERROR);
			else answerRaw(stream);
		});
		const watched = echoing(server.address, { retryPolicy: false });
		await watched.client.echo({});
		expect(server.requests).toBe(2);
		expect(watched.times).toEqual([0, 0]);
		expect(watched.decisions.map(({ kind }) => kind)).toEqual(["transparent"]);
	});

	test("for the second time is UNAVAILABLE, and the policy's to retry", async () => {
		const serve = (): Promise<RawServer> =>
			rawServer((stream, n) => {
				if (n <= 2) stream.connection.goAway(0, Http2Code.NO_ERROR);
				else answerRaw(stream);
			});
		const server = await serve();
		const once = echoing(server.address, { retryPolicy: false });
		const error = await errorOf(once.client.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(server.requests).toBe(2);

		const other = await serve();
		const watched = echoing(other.address, { retryPolicy, waitForReady: true });
		const call = watched.client.echo({});
		await watched.until(() => watched.decisions.length === 2);
		// Such a server is not connected to again at once.
		await watched.clock.advance(2_000);
		await call;
		expect(other.requests).toBe(3);
		expect(watched.decisions.map(({ kind }) => kind)).toEqual([
			"transparent",
			"scheduled",
		]);
	});

	test("of connections that have taken other calls sends an attempt again as often as it takes", async () => {
		const taken = new Set<unknown>();
		const server = await rawServer((stream) => {
			const { connection } = stream;
			if (taken.has(connection)) return;
			taken.add(connection);
			// As nginx does when the last of its `keepalive_requests` has come.
			connection.goAway(stream.id, Http2Code.NO_ERROR);
			answerRaw(stream);
		});
		const watched = echoing(server.address, {
			retryPolicy: false,
			serviceConfig: tight,
		});
		const calls = Array.from({ length: 8 }, () => watched.client.echo({}));
		await Promise.all(calls);
		expect(taken.size).toBe(8);
		expect(watched.core.retryThrottle.allows).toBe(true);
		expect(watched.decisions.length).toBeGreaterThan(7);
		for (const { kind, reason } of watched.decisions) {
			expect({ kind, reason }).toEqual({
				kind: "transparent",
				reason: `did not reach ${server.address}`,
			});
		}
	});

	test("with an error code turns away those above its last stream id, whatever the connection has taken", async () => {
		const server = await rawServer((stream, n) => {
			if (n !== 2) answerRaw(stream);
			else stream.connection.goAway(1, Http2Code.ENHANCE_YOUR_CALM);
		});
		const watched = echoing(server.address, { retryPolicy: false });
		await watched.client.echo({});
		await watched.client.echo({});
		expect(server.requests).toBe(3);
		expect(watched.decisions.map(({ reason }) => reason)).toEqual([
			`${server.address} turned it away unseen`,
		]);
	});

	test("whose last stream id takes the call in lets it finish where it is", async () => {
		const server = await rawServer((stream) => {
			stream.connection.goAway(stream.id, Http2Code.NO_ERROR);
			answerRaw(stream);
		});
		const watched = echoing(server.address);
		await watched.client.echo({});
		expect(server.requests).toBe(1);
		expect(watched.decisions).toEqual([]);
	});
});

test("a connection that is lost under a request that may have been seen is no case for it", async () => {
	await using server = await answering([
		({ stream }) => stream.session?.destroy(),
	]);
	const watched = echoing(server.address, { retryPolicy: false });
	const error = await errorOf(watched.client.echo({}));
	expect(error.code).toBe(Code.Unavailable);
	expect(server.seen).toHaveLength(1);
	expect(watched.decisions).toEqual([]);
});
