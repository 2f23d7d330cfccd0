/** Retry policies (gRFC A6), over real sockets and in fake time. */

import { once } from "node:events";
import net from "node:net";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	type Answer,
	type Attempting,
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
import type {
	BalancerFactory,
	Picker,
	Subchannel,
} from "../../balancer/balancer.ts";
import { staticResolver } from "../../discovery/static.ts";
import type { CallOptions } from "../options/call-options.ts";
import type { ClientOptions } from "../options/client-options.ts";

function echoing(
	server: ScriptedServer,
	options: ClientOptions = {},
	time?: Attempting,
): AttemptingClient<EchoServiceClient> {
	return attempting(
		EchoService,
		server.address,
		{ retryPolicy, ...options },
		time,
	);
}

/** A client of a service with idempotent methods. */
interface AnyClient {
	read(request: object, options?: CallOptions): Promise<object>;
	put(request: object, options?: CallOptions): Promise<object>;
	create(request: object, options?: CallOptions): Promise<object>;
}
const anyService = serviceOf(
	{ name: "Read", idempotency: "NO_SIDE_EFFECTS" },
	{ name: "Put", idempotency: "IDEMPOTENT" },
	"Create",
);

/** Headers and a message, and then the connection is lost. */
const dying: Answer = ({ stream }) => {
	respond(stream);
	stream.write(frame(), () => stream.session?.destroy());
};

/** A whole response, of two headers frames, that has failed. */
const failingLate: Answer = ({ stream }) => {
	respond(stream, { "x-attempt": "failed" });
	stream.write(frame());
	finish(stream, { "grpc-status": 14, "grpc-message": "late" });
};

async function closedPort(): Promise<number> {
	const server = net.createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as net.AddressInfo;
	server.close();
	await once(server, "close");
	return port;
}

describe("the backoff before retry n", () => {
	test("is min(initial · multiplier^(n-1), max)", async () => {
		await using server = await answering([busy]);
		await using watched = echoing(server);
		await errorOf(watched.client.echo({}));
		expect(watched.times).toEqual([0, 100, 300, 600, 900]);
	});

	test.each([
		[0, [0, 80, 240, 480, 720]],
		[0.75, [0, 110, 330, 660, 990]],
		[1 - 2 ** -53, [0, 120, 360, 720, 1080]],
	])(
		"times random(0.8, 1.2): where chance is %d, the attempts go at %j",
		async (chance, times) => {
			await using server = await answering([busy]);
			await using watched = echoing(server, {}, { random: () => chance });
			await errorOf(watched.client.echo({}));
			expect(watched.times.map(Math.round)).toEqual(times);
		},
	);

	test("is waited to its end", async () => {
		await using server = await answering([busy, fine]);
		await using watched = echoing(server, {}, { impatient: true });
		const call = watched.client.echo({});
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(99);
		expect(watched.starts).toHaveLength(1);
		await watched.clock.advance(1);
		expect(watched.times).toEqual([0, 100]);
		await call;
	});

	test('of "0.5s" is 500 ms', async () => {
		await using server = await answering([busy, fine]);
		await using watched = echoing(server, {
			retryPolicy: {
				...retryPolicy,
				initialBackoff: "0.5s",
				maxBackoff: "0.5s",
			},
		});
		await watched.client.echo({});
		expect(watched.times).toEqual([0, 500]);
	});
});

describe("maxAttempts", () => {
	test("counts the first attempt, and the call fails as the last one did", async () => {
		const last: Answer = ({ stream }) => refuse(stream, 14, "the last");
		await using server = await answering([busy, busy, last]);
		await using watched = echoing(server, {
			retryPolicy: { ...retryPolicy, maxAttempts: 3 },
		});
		const error = await errorOf(watched.client.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toBe("the last");
		expect(server.seen).toHaveLength(3);
	});

	test("over 5 means 5", async () => {
		await using server = await answering([busy]);
		await using watched = echoing(server, {
			retryPolicy: { ...retryPolicy, maxAttempts: 9 },
		});
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(5);
	});

	test.each([
		[7, 7],
		[20, 9],
		[2, 2],
		[1, 1],
	])(
		"of 9 on a channel whose cap is %d means %d",
		async (maxAttempts, attempts) => {
			await using server = await answering([busy]);
			await using watched = echoing(server, {
				maxAttempts,
				retryPolicy: { ...retryPolicy, maxAttempts: 9 },
			});
			await errorOf(watched.client.echo({}));
			expect(server.seen).toHaveLength(attempts);
		},
	);
});

test("grpc-previous-rpc-attempts is n on every attempt but the first, whatever the metadata says", async () => {
	await using server = await answering([busy, busy, busy, fine]);
	await using watched = echoing(server);
	const attempts = (): unknown[] =>
		server.seen.map(({ headers }) => headers["grpc-previous-rpc-attempts"]);
	await watched.client.echo({});
	expect(attempts()).toEqual([undefined, "1", "2", "3"]);

	await using again = await answering([busy, fine]);
	await using proxy = echoing(again);
	const headers = { "x-a": "1", "grpc-previous-rpc-attempts": "7", "x-z": "2" };
	await proxy.client.echo({}, { headers });
	expect(again.seen[1]?.headers).toMatchObject({
		...headers,
		"grpc-previous-rpc-attempts": "1",
	});
});

describe("retryableStatusCodes", () => {
	test("are the codes that are retried, and no others", async () => {
		const aborted: Answer = ({ stream }) => refuse(stream, 10, "aborted");
		await using server = await answering([aborted, broken]);
		await using watched = echoing(server, {
			retryPolicy: { ...retryPolicy, retryableStatusCodes: ["ABORTED", 14] },
		});
		const error = await errorOf(watched.client.echo({}));
		expect(error.code).toBe(Code.Internal);
		expect(server.seen).toHaveLength(2);
	});

	test("speak of what is found out on this side, too: a lost connection, a proxy's answer", async () => {
		const proxy: Answer = ({ stream }) => {
			stream.respond({ ":status": 503 }, { endStream: true });
		};
		await using server = await answering([
			({ stream }) => stream.session?.destroy(),
			proxy,
			fine,
		]);
		await using watched = echoing(server);
		await watched.client.echo({});
		expect(server.seen).toHaveLength(3);
	});
});

describe("pushback", () => {
	test.each([
		["0", 0],
		["1234", 1234],
		["5000", 5000],
	])(
		"of %s ms is waited exactly, whatever backoff, maximum and jitter say",
		async (ms, waited) => {
			await using server = await answering([pushingBack(ms), fine]);
			await using watched = echoing(server, {}, { random: () => 0 });
			await watched.client.echo({});
			expect(watched.times).toEqual([0, waited]);
		},
	);

	test("is obeyed to the millisecond", async () => {
		await using server = await answering([pushingBack("1000"), fine]);
		await using watched = echoing(server, {}, { impatient: true });
		const call = watched.client.echo({});
		await watched.until(() => watched.decisions.length === 1);
		await watched.clock.advance(999);
		expect(watched.starts).toHaveLength(1);
		await watched.clock.advance(1);
		expect(watched.starts).toHaveLength(2);
		await call;
	});

	test("makes the backoff start from the initial again", async () => {
		await using server = await answering([
			busy,
			busy,
			pushingBack("1000"),
			busy,
			fine,
		]);
		await using watched = echoing(server);
		await watched.client.echo({});
		expect(watched.decisions.map(({ delayMs }) => delayMs)).toEqual([
			100, 200, 1000, 100,
		]);
	});

	test.each([
		["negative", "-1"],
		["unparseable", "soon"],
		["unparseable", "1.5"],
		["unparseable", "007"],
		["unparseable", ""],
		["too large for an int32", "2147483648"],
		["repeated", ["10", "10"]],
	])("that is %s (%j) means no retry", async (_what, value) => {
		await using server = await answering([pushingBack(value), fine]);
		await using watched = echoing(server);
		const error = await errorOf(watched.client.echo({}));
		expect(error.rawMessage).toBe("busy");
		expect(server.seen).toHaveLength(1);
		expect(watched.decisions).toEqual([
			{ kind: "denied", delayMs: 0, reason: "the server said not to retry" },
		]);
	});

	test("never overrides maxAttempts", async () => {
		await using server = await answering([pushingBack("1")]);
		await using watched = echoing(server, {
			retryPolicy: { ...retryPolicy, maxAttempts: 2 },
		});
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(2);
	});

	test("makes no other code retryable, and is nothing without a policy", async () => {
		const pushed: Answer = ({ stream }) =>
			refuse(stream, 13, "broken", { "grpc-retry-pushback-ms": "1" });
		await using server = await answering([pushed]);
		await using watched = echoing(server);
		await errorOf(watched.client.echo({}));
		expect(server.seen).toHaveLength(1);

		await using pushing = await answering([pushingBack("1")]);
		await using once = echoing(pushing, { retryPolicy: false });
		await errorOf(once.client.echo({}));
		expect(pushing.seen).toHaveLength(1);
	});
});

describe("response headers", () => {
	test("commit the call: it is not tried again", async () => {
		await using server = await answering([failingLate, fine]);
		await using watched = echoing(server);
		const error = await errorOf(watched.client.echo({}));
		expect(error.rawMessage).toBe("late");
		expect(error.metadata.get("x-attempt")).toBe("failed");
		expect(server.seen).toHaveLength(1);
		expect(watched.decisions).toEqual([
			{ kind: "denied", delayMs: 0, reason: "response headers had arrived" },
		]);
	});

	test("commit a stream, and what came before the failure is the caller's", async () => {
		await using server = await answering([failingLate, fine]);
		await using watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
			{ retryPolicy },
		);
		const stream = watched.client.searchOrders({});
		expect(await stream.recv()).toMatchObject({ id: "" });
		expect((await errorOf(stream.recv())).rawMessage).toBe("late");
		expect(server.seen).toHaveLength(1);
	});

	test("are not what a Trailers-Only response has: it commits nothing", async () => {
		await using server = await answering([busy, fine]);
		await using watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
			{ retryPolicy },
		);
		expect(await watched.client.searchOrders({}).recv()).toBeDefined();
		expect(server.seen).toHaveLength(2);
	});
});

describe("a unary call of an idempotent method commits at its end", () => {
	test.each(["read", "put"] as const)(
		"%s: a connection that dies between headers and status is a retry",
		async (method) => {
			await using server = await answering([dying, fine]);
			await using watched = attempting<AnyClient>(anyService, server.address);
			await watched.client[method]({});
			expect(server.seen).toHaveLength(2);
		},
	);

	test("so is a retryable status behind headers and a message, of which the caller sees nothing", async () => {
		const second: Answer = ({ stream }) => {
			respond(stream, { "x-attempt": "second" });
			stream.write(frame());
			finish(stream, { "grpc-status": 0, "x-end": "second" });
		};
		await using server = await answering([failingLate, second]);
		await using watched = attempting<AnyClient>(anyService, server.address);
		const seen: (string | null)[] = [];
		await watched.client.read(
			{},
			{
				onHeader: (header) => seen.push(header.get("x-attempt")),
				onTrailer: (trailer) => seen.push(trailer.get("x-end")),
			},
		);
		expect(seen).toEqual(["second", "second"]);
	});

	test("and one of another method does not, whatever its policy", async () => {
		await using server = await answering([dying, fine]);
		await using watched = attempting<AnyClient>(anyService, server.address, {
			retryPolicy,
		});
		const error = await errorOf(watched.client.create({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(server.seen).toHaveLength(1);
	});

	test("with a wrong number of messages, which are not kept beyond two", async () => {
		const thrice: Answer = ({ stream }) => {
			respond(stream);
			for (const _ of "123") stream.write(frame());
			finish(stream);
		};
		await using server = await answering([thrice]);
		await using watched = attempting<AnyClient>(anyService, server.address);
		const error = await errorOf(watched.client.read({}));
		expect(error.code).toBe(Code.Unimplemented);
	});
});

describe("a pick that fails", () => {
	test("goes to the retry policy", async () => {
		const port = await closedPort();
		await using watched = attempting<EchoServiceClient>(
			EchoService,
			`ipv4:127.0.0.1:${port}`,
			{ retryPolicy },
		);
		const error = await errorOf(watched.client.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toMatch(
			/^no connection to .*ECONNREFUSED.*; gave up after 5 attempts$/,
		);
		expect(watched.decisions.map(({ kind }) => kind)).toEqual([
			...Array(4).fill("scheduled"),
			"denied",
		]);
		expect(watched.calls).toEqual([{ code: Code.Unavailable, attempts: 0 }]);
	});

	test("is of no consequence once there is a connection", async () => {
		const port = await closedPort();
		await using watched = attempting<EchoServiceClient>(
			EchoService,
			`ipv4:127.0.0.1:${port}`,
			{
				retryPolicy: { ...retryPolicy, initialBackoff: "2s", maxBackoff: "2s" },
			},
			{ impatient: true },
		);
		const call = watched.client.echo({});
		await watched.until(() => watched.decisions.length === 1);
		await using server = await answering([fine], { at: port });
		// The connection is tried again, and then the call.
		await watched.clock.advance(1999);
		await watched.core.connect(undefined);
		await watched.clock.advance(1);
		await call;
		expect(watched.starts).toHaveLength(1);
		expect(server.seen[0]?.headers["grpc-previous-rpc-attempts"]).toBe("1");
	});

	test("waits with waitForReady, and is no attempt", async () => {
		const port = await closedPort();
		await using watched = attempting<EchoServiceClient>(
			EchoService,
			`ipv4:127.0.0.1:${port}`,
			{ retryPolicy, waitForReady: true },
		);
		const call = watched.client.echo({});
		while (watched.core.state !== "transientFailure") {
			await watched.clock.advance(0);
		}
		await using server = await answering([busy, fine], { at: port });
		await watched.clock.advance(2000);
		await call;
		expect(watched.decisions).toHaveLength(1);
		expect(
			server.seen.map(({ headers }) => headers["grpc-previous-rpc-attempts"]),
		).toEqual([undefined, "1"]);
	});
});

/** Picks the first endpoint's subchannel for as long as `drops` says no. */
function dropping(drops: () => boolean): BalancerFactory {
	return (helper) => {
		const made: (Subchannel & { shutdown(): void })[] = [];
		return {
			update([endpoint]) {
				if (endpoint === undefined) return;
				const subchannel = helper.createSubchannel(endpoint, (state) => {
					const picker: Picker = {
						pick: () =>
							drops()
								? { kind: "drop", error: new Error("over the limit") }
								: { kind: "subchannel", subchannel },
					};
					if (state === "ready") helper.publish("ready", picker);
				});
				made.push(subchannel);
				subchannel.connect();
			},
			exitIdle() {},
			close: () => made.forEach((one) => void one.shutdown()),
		};
	};
}

describe("a dropped pick", () => {
	test("fails at once, whatever the policy", async () => {
		await using server = await answering([fine]);
		await using watched = echoing(server, {
			balancer: dropping(() => true),
			waitForReady: true,
		});
		const error = await errorOf(watched.client.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toMatch(/over the limit$/);
		expect(watched.decisions).toEqual([]);
	});

	test("of a retry, too", async () => {
		await using server = await answering([busy]);
		await using watched = echoing(server, {
			balancer: dropping(() => server.seen.length > 0),
		});
		const error = await errorOf(watched.client.echo({}));
		expect(error.rawMessage).toMatch(
			/over the limit; gave up after 2 attempts$/,
		);
		expect(server.seen).toHaveLength(1);
	});
});

describe("another endpoint", () => {
	const two = (one: ScriptedServer, other: ScriptedServer) =>
		staticResolver([{ address: one.address }, { address: other.address }]);

	test("is preferred on a retry, if the balancer has one ready", async () => {
		await using one = await answering([busy]);
		await using other = await answering([busy]);
		await using watched = attempting<EchoServiceClient>(
			EchoService,
			two(one, other),
			{
				balancer: "round_robin",
				retryPolicy: { ...retryPolicy, maxAttempts: 2 },
			},
		);
		await watched.core.connect(undefined);
		while (one.sessions.size + other.sessions.size < 2) {
			await watched.clock.advance(0);
		}
		for (const calls of [1, 2, 3, 4, 5]) {
			await errorOf(watched.client.echo({}));
			expect([one.seen.length, other.seen.length]).toEqual([calls, calls]);
		}
	});

	test("when all have been tried, is any of them", async () => {
		await using one = await answering([busy]);
		await using other = await answering([busy]);
		await using watched = attempting<EchoServiceClient>(
			EchoService,
			two(one, other),
			{ balancer: "round_robin", retryPolicy },
		);
		await errorOf(watched.client.echo({}));
		expect(one.seen.length + other.seen.length).toBe(5);
	});

	test("is not there with pick_first, whose retries stay where they are", async () => {
		await using one = await answering([busy, fine]);
		await using other = await answering([fine]);
		await using watched = attempting<EchoServiceClient>(
			EchoService,
			two(one, other),
			{ balancer: "pick_first", retryPolicy },
		);
		await watched.client.echo({});
		expect([one.seen.length, other.seen.length]).toEqual([2, 0]);
	});

	test("is told to pickers by what a call has tried, for this call alone", async () => {
		const tried: number[] = [];
		await using server = await answering([busy, fine, fine]);
		const noting: BalancerFactory = (helper) => {
			const inner = dropping(() => false)({
				...helper,
				publish: (state, picker) =>
					helper.publish(state, {
						pick(info) {
							tried.push(info.tried.size);
							return picker.pick(info);
						},
					}),
			});
			return inner;
		};
		await using watched = echoing(server, { balancer: noting });
		await watched.core.connect(undefined);
		await watched.client.echo({});
		await watched.client.echo({});
		expect(tried).toEqual([0, 1, 0]);
	});
});

test("credentials are asked for again with each attempt", async () => {
	await using server = await answering([busy, busy, fine]);
	let asked = 0;
	await using watched = echoing(server, {
		insecureCredentials: true,
		credentials: async () => ({ authorization: `token ${++asked}` }),
	});
	await watched.client.echo({});
	expect(server.seen.map(({ headers }) => headers["authorization"])).toEqual([
		"token 1",
		"token 2",
		"token 3",
	]);
});

test("the caller's metadata goes along with each attempt", async () => {
	await using server = await answering([busy, fine]);
	await using watched = echoing(server);
	await watched.client.echo({}, { headers: { "x-id": "7" } });
	expect(server.seen.map(({ headers }) => headers["x-id"])).toEqual(["7", "7"]);
});

test("onHeader and onTrailer hear of the committed attempt only, once", async () => {
	const heard: string[] = [];
	const good: Answer = ({ stream }) => {
		respond(stream, { "x-header": "good" });
		stream.write(frame());
		finish(stream, { "grpc-status": 0, "x-trailer": "good" });
	};
	const bad: Answer = ({ stream }) =>
		refuse(stream, 14, "busy", { "x-header": "bad", "x-trailer": "bad" });
	for (const Client of ["unary", "stream"]) {
		await using server = await answering([bad, good]);
		await using watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
			{ retryPolicy },
		);
		const options: CallOptions = {
			onHeader: (header) => heard.push(`${header.get("x-header")} header`),
			onTrailer: (trailer) => heard.push(`${trailer.get("x-trailer")} trailer`),
		};
		if (Client === "unary") await watched.client.getOrder({}, options);
		else for await (const _ of watched.client.searchOrders({}, options));
	}
	expect(heard).toEqual([
		"good header",
		"good trailer",
		"good header",
		"good trailer",
	]);
});

test("a call without a policy has one attempt", async () => {
	await using server = await answering([busy]);
	await using watched = echoing(server, { retryPolicy: undefined });
	await errorOf(watched.client.echo({}));
	expect(server.seen).toHaveLength(1);
	expect(watched.decisions).toEqual([]);
});

test("an attempt that is under way is waited for, however long: only the deadline ends it", async () => {
	await using server = await answering([silent]);
	await using watched = echoing(server);
	const call = errorOf(watched.client.echo({}));
	const first = await server.request(1);
	await watched.clock.advance(9_999);
	expect(watched.starts).toHaveLength(1);
	answer(first.stream);
	await expect(call).rejects.toThrow("the call went well");
});
