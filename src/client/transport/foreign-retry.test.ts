/** Retries over Connect Transports that are not homing's. */

import { getEventListeners, once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import {
	Code,
	ConnectError,
	type ConnectRouter,
	createRouterTransport,
	type HandlerContext,
	type Interceptor,
	type Transport,
} from "@connectrpc/connect";
import {
	connectNodeAdapter,
	createConnectTransport,
	createGrpcTransport,
	createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import {
	answering,
	busy,
	errorOf,
	fine,
	pushingBack,
	retryPolicy,
} from "../../../testdata/harness/attempts.ts";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { serviceOf } from "../../../testdata/harness/service-of.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import {
	NewOrderManagementClient,
	type OrderManagementClient,
	type OrderManagementServer,
} from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import type { RetryThrottling } from "../../policy/service-config.ts";
import { makeClient } from "../client-object.ts";
import { newClient } from "../new-client.ts";
import {
	type ClientOptions,
	compileClientOptions,
} from "../options/client-options.ts";
import { ConnectCaller } from "./connect-caller.ts";
import { ForeignCarrier } from "./foreign-carrier.ts";
import { InterceptedTransport } from "./intercepted-transport.ts";

/** A call as the transport got it. */
interface Sent {
	readonly at: number;
	readonly previous: string | null;
	readonly timeoutMs: number | undefined;
}

interface Watched {
	readonly client: OrderManagementClient;
	readonly clock: FakeClock;
	readonly sent: readonly Sent[];
	/** Resolves with the outcome of a call; time moves on meanwhile. */
	outcome<T>(call: Promise<T>): Promise<T>;
}

/** A client in fake time, and the calls that it makes over its transport. */
function over(
	inner: Transport,
	options: ClientOptions = { retryPolicy },
	throttling?: RetryThrottling,
): Watched {
	const clock = new FakeClock();
	const sent: Sent[] = [];
	const note = (timeoutMs?: number, header?: HeadersInit): void => {
		const previous = new Headers(header).get("grpc-previous-rpc-attempts");
		sent.push({ at: clock.now(), previous, timeoutMs });
	};
	const transport: Transport = {
		unary(method, signal, timeoutMs, header, ...rest) {
			note(timeoutMs, header);
			return inner.unary(method, signal, 0, header, ...rest);
		},
		stream(method, signal, timeoutMs, header, ...rest) {
			note(timeoutMs, header);
			return inner.stream(method, signal, 0, header, ...rest);
		},
	};
	const { interceptors, policies } = compileClientOptions(
		OrderManagement,
		options,
		undefined,
	);
	const carrier = new ForeignCarrier(transport, throttling, clock, () => 0.5);
	const caller = new ConnectCaller(
		new InterceptedTransport(carrier, interceptors, policies),
	);
	return {
		client: makeClient(OrderManagement, caller, {
			channel: undefined,
			close: async () => {},
		}),
		clock,
		sent,
		async outcome(call) {
			let over = false;
			const done = (): void => {
				over = true;
			};
			call.then(done, done);
			while (!over) await clock.advance(10);
			return call;
		},
	};
}

const unavailable = (metadata?: HeadersInit): ConnectError =>
	new ConnectError("busy", Code.Unavailable, metadata);

type Get = OrderManagementServer["getOrder"];

/** A transport in memory that gives the answers in turn. The last one is repeated. */
function routes(...answers: Get[]): Transport {
	let n = 0;
	const next = (): Get => answers[Math.min(n++, answers.length - 1)] as Get;
	return createRouterTransport(({ service }) => {
		service(OrderManagement, {
			getOrder: (request, context) => next()(request, context),
			async *searchOrders(request, context) {
				context.responseHeader.set("x-attempt", String(n + 1));
				yield await next()(request, context);
			},
			async updateOrders(requests, context) {
				for await (const { id } of requests) {
					await next()({ value: id } as never, context);
				}
				return {};
			},
		});
	});
}

const fails: Get = () => {
	throw unavailable();
};
const works: Get = ({ value }) => ({ id: value });

describe("a unary call", () => {
	test("is retried after backoffs, and each attempt carries the number of attempts before it", async () => {
		const { client, outcome, sent } = over(routes(fails, fails, works));
		expect(await outcome(client.getOrder({ value: "7" }))).toMatchObject({
			id: "7",
		});
		expect(sent.map(({ at }) => at)).toEqual([0, 100, 300]);
		expect(sent.map(({ previous }) => previous)).toEqual([null, "1", "2"]);
	});

	test("fails with the error of its last attempt, including metadata and details", async () => {
		let n = 0;
		const { client, outcome, sent } = over(
			routes(() => {
				throw unavailable({ "x-attempt": String(++n) });
			}),
		);
		const error = await outcome(errorOf(client.getOrder({})));
		expect(error.rawMessage).toBe("busy");
		expect(error.metadata.get("x-attempt")).toBe("5");
		expect(sent).toHaveLength(5);
	});

	test("makes at most five attempts, whatever its policy says", async () => {
		const { client, outcome, sent } = over(routes(fails), {
			retryPolicy: { ...retryPolicy, maxAttempts: 9 },
		});
		await outcome(errorOf(client.getOrder({})));
		expect(sent).toHaveLength(5);
	});

	test("is not retried for another code, or without a policy", async () => {
		const broken: Get = () => {
			throw new ConnectError("broken", Code.Internal);
		};
		const other = over(routes(broken));
		await other.outcome(errorOf(other.client.getOrder({})));
		expect(other.sent).toHaveLength(1);
		const none = over(routes(fails), {});
		await none.outcome(errorOf(none.client.getOrder({})));
		expect(none.sent).toHaveLength(1);
		const off = over(routes(fails));
		await off.outcome(errorOf(off.client.getOrder({}, { retryPolicy: false })));
		expect(off.sent).toHaveLength(1);
	});

	test("of an idempotent method is retried by default", async () => {
		const service = serviceOf({ name: "Read", idempotency: "IDEMPOTENT" });
		let sent = 0;
		const client = newClient<{ read(request: object): Promise<object> }>(
			service,
			{
				unary: async () => {
					sent += 1;
					throw unavailable();
				},
				stream: () => Promise.reject(new Error("not asked for")),
			},
		);
		await errorOf(client.read({}));
		expect(sent).toBe(3);
	});

	test("with a hedging policy makes one attempt", async () => {
		const { client, outcome, sent } = over(routes(fails), {
			hedgingPolicy: { maxAttempts: 3, nonFatalStatusCodes: ["UNAVAILABLE"] },
		});
		await outcome(errorOf(client.getOrder({})));
		expect(sent).toHaveLength(1);
	});

	test("passes its interceptors once, around all attempts", async () => {
		let runs = 0;
		const counting: Interceptor = (next) => (request) => {
			runs += 1;
			return next(request);
		};
		const { client, outcome, sent } = over(routes(fails, works), {
			retryPolicy,
			interceptors: [counting],
		});
		await outcome(client.getOrder({}));
		expect([runs, sent.length]).toEqual([1, 2]);
	});

	test("calls onHeader and onTrailer for the successful attempt only", async () => {
		const noting =
			(name: string, then: Get): Get =>
			(request, context: HandlerContext) => {
				context.responseHeader.set("x-name", name);
				context.responseTrailer.set("x-name", name);
				return then(request, context);
			};
		const { client, outcome } = over(
			routes(noting("bad", fails), noting("good", works)),
		);
		const heard: (string | null)[] = [];
		const hear = (headers: Headers): unknown =>
			heard.push(headers.get("x-name"));
		const options = { onHeader: hear, onTrailer: hear } as never;
		await outcome(client.getOrder({}, options));
		expect(heard).toEqual(["good", "good"]);
	});
});

describe("pushback in the error's metadata", () => {
	const pushing =
		(ms: string): Get =>
		() => {
			throw unavailable({ "grpc-retry-pushback-ms": ms });
		};

	test("is waited exactly, and the backoff starts again from the initial one", async () => {
		const { client, outcome, sent } = over(
			routes(fails, fails, pushing("1230"), fails, works),
		);
		await outcome(client.getOrder({}));
		expect(sent.map(({ at }) => at)).toEqual([0, 100, 300, 1530, 1630]);
	});

	test.each(["-1", "soon", "10, 10"])("of %s means no retry", async (ms) => {
		const { client, outcome, sent } = over(routes(pushing(ms)));
		await outcome(errorOf(client.getOrder({})));
		expect(sent).toHaveLength(1);
	});
});

describe("the throttle", () => {
	test("is shared by all calls of a client", async () => {
		const { client, outcome, sent } = over(
			routes(fails),
			{ retryPolicy },
			{ maxTokens: 4, tokenRatio: 1 },
		);
		await outcome(errorOf(client.getOrder({})));
		expect(sent).toHaveLength(2);
		await outcome(errorOf(client.getOrder({})));
		expect(sent).toHaveLength(3);
	});

	test("opens again after successful calls", async () => {
		const { client, outcome, sent } = over(
			routes(fails, fails, works, works, fails, works),
			{ retryPolicy },
			{ maxTokens: 4, tokenRatio: 1 },
		);
		await outcome(errorOf(client.getOrder({})));
		for (const _ of "123") await outcome(client.getOrder({}));
		expect(sent).toHaveLength(6);
	});

	test("takes its tokens from the generated code", async () => {
		let sent = 0;
		const client = newClient<OrderManagementClient>(
			OrderManagement,
			{
				unary: async () => {
					sent += 1;
					throw unavailable();
				},
				stream: () => Promise.reject(new Error("not asked for")),
			},
			{ retryPolicy: { ...retryPolicy, initialBackoff: "0.001s" } },
			{ retryThrottling: { maxTokens: 4, tokenRatio: 1 } },
		);
		await errorOf(client.getOrder({}));
		expect(sent).toBe(2);
	});
});

describe("the deadline", () => {
	test("applies to all attempts together, each of which gets the time that is left; its error says how far the call got", async () => {
		const { client, outcome, sent } = over(routes(fails));
		const error = await outcome(
			errorOf(client.getOrder({}, { timeoutMs: 500 })),
		);
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(error.rawMessage).toBe(
			"the deadline of 500 ms passed after 3 attempts; last: [unavailable] busy",
		);
		expect(sent.map(({ timeoutMs }) => timeoutMs)).toEqual([500, 400, 200]);
	});

	test("that passes during an attempt names it in the error", async () => {
		const { client, clock, outcome, sent } = over(
			routes(fails, () => new Promise(() => {})),
		);
		const error = await outcome(
			errorOf(client.getOrder({}, { timeoutMs: 500 })),
		);
		expect(error.rawMessage).toBe(
			"the deadline of 500 ms passed in attempt 2; last: [unavailable] busy",
		);
		await clock.advance(10_000);
		expect(sent).toHaveLength(2);
		expect(clock.pending).toBe(0);
	});
});

test("a call that is cancelled during a backoff ends at once, sends nothing more, and leaves nothing behind", async () => {
	const { client, clock, sent } = over(routes(fails));
	const cancel = new AbortController();
	const { signal } = cancel;
	const call = errorOf(client.getOrder({}, { signal }));
	while (sent.length === 0 || clock.pending < 2) await clock.advance(0);
	cancel.abort(new Error("changed my mind"));
	const error = await call;
	expect(error.code).toBe(Code.Canceled);
	expect(error.rawMessage).toBe(
		"the call was cancelled: changed my mind after 1 attempt; last: [unavailable] busy",
	);
	await clock.advance(1);
	expect(clock.pending).toBe(0);
	await clock.advance(60_000);
	expect(sent).toHaveLength(1);
	expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a call removes its listeners from the signal of its transport after each backoff", async () => {
	const signals: AbortSignal[] = [];
	const { client, outcome } = over({
		async unary(_method, signal) {
			if (signal !== undefined) signals.push(signal);
			throw unavailable();
		},
		stream: () => Promise.reject(new Error("not asked for")),
	});
	await outcome(errorOf(client.getOrder({})));
	expect(signals).toHaveLength(5);
	for (const signal of signals) {
		expect(getEventListeners(signal, "abort")).toEqual([]);
	}
});

describe("a server stream", () => {
	test("is retried, with its request, until its first message has come", async () => {
		const { client, outcome, sent } = over(routes(fails, fails, works));
		const stream = client.searchOrders({ value: "7" });
		expect(await outcome(stream.recv())).toMatchObject({ id: "7" });
		expect(await outcome(stream.recv())).toBeUndefined();
		expect(sent.map(({ at }) => at)).toEqual([0, 100, 300]);
		expect(sent.map(({ previous }) => previous)).toEqual([null, "1", "2"]);
		expect((await stream.header).get("x-attempt")).toBe("3");
	});

	test("is not retried after its first message", async () => {
		const transport = createRouterTransport(({ service }) => {
			service(OrderManagement, {
				async *searchOrders() {
					yield { id: "1" };
					throw unavailable();
				},
			});
		});
		const { client, outcome, sent } = over(transport);
		const stream = client.searchOrders({});
		expect(await outcome(stream.recv())).toMatchObject({ id: "1" });
		await outcome(errorOf(stream.recv()));
		expect(sent).toHaveLength(1);
	});

	test("that ends without a message has succeeded", async () => {
		const transport = createRouterTransport(({ service }) => {
			service(OrderManagement, { async *searchOrders() {} });
		});
		const { client, outcome, sent } = over(transport);
		expect(await outcome(client.searchOrders({}).recv())).toBeUndefined();
		expect(sent).toHaveLength(1);
	});

	test("that is cancelled during a backoff sends nothing more, and leaves nothing behind", async () => {
		const { client, clock, sent } = over(routes(fails));
		const stream = client.searchOrders({});
		const received = errorOf(stream.recv());
		while (sent.length === 0 || clock.pending < 1) await clock.advance(0);
		stream.cancel();
		expect((await received).code).toBe(Code.Canceled);
		await clock.advance(60_000);
		expect(sent).toHaveLength(1);
		expect(clock.pending).toBe(0);
	});

	test("that hangs before its first message ends at the deadline", async () => {
		const { client, clock, outcome, sent } = over(
			routes(fails, () => new Promise(() => {})),
		);
		const stream = client.searchOrders({}, { timeoutMs: 500 });
		const error = await outcome(errorOf(stream.recv()));
		expect(error.code).toBe(Code.DeadlineExceeded);
		expect(sent).toHaveLength(2);
		await clock.advance(60_000);
		expect(clock.pending).toBe(0);
	});

	test("provides its headers with its first message, and without a policy before it", async () => {
		const message = Promise.withResolvers<IteratorResult<never>>();
		const transport: Transport = {
			unary: () => Promise.reject(new Error("not asked for")),
			stream: async (method) => ({
				stream: true,
				service: method.parent,
				method,
				header: new Headers({ "x-early": "1" }),
				trailer: new Headers(),
				message: {
					[Symbol.asyncIterator]: () => ({ next: () => message.promise }),
				},
			}),
		};
		const early = await over(transport, {}).client.searchOrders({}).header;
		expect(early.get("x-early")).toBe("1");

		const { header } = over(transport).client.searchOrders({});
		const first = Promise.race([header, message.promise]);
		message.resolve({ done: true, value: undefined });
		expect(await first).toMatchObject({ done: true });
		expect((await header).get("x-early")).toBe("1");
	});
});

test("client-streaming and bidirectional calls make one attempt", async () => {
	const { client, outcome, sent } = over(routes(fails));
	await outcome(errorOf(client.updateOrders([{ id: "1" }])));
	await outcome(errorOf(client.processOrders([]).recv()));
	expect(sent).toHaveLength(2);
});

/** In real time, with backoffs of a millisecond. */
const soon = {
	...retryPolicy,
	initialBackoff: "0.001s",
	maxBackoff: "0.001s",
} as const;

describe("over connect-node", () => {
	test.each([
		["gRPC", createGrpcTransport],
		["gRPC-Web", createGrpcWebTransport],
		["Connect", createConnectTransport],
	] as const)(
		"%s: unary calls and server streams are retried",
		async (_name, create) => {
			const previous: (string | null)[] = [];
			const orders = {
				getOrder(_request: unknown, context: HandlerContext) {
					previous.push(
						context.requestHeader.get("grpc-previous-rpc-attempts"),
					);
					if (previous.length < 3) throw unavailable();
					return { id: "unary" };
				},
				async *searchOrders(_request: unknown, context: HandlerContext) {
					previous.push(
						context.requestHeader.get("grpc-previous-rpc-attempts"),
					);
					if (previous.length < 6) throw unavailable();
					yield { id: "stream" };
				},
			};
			const routes = ({ service }: ConnectRouter): void => {
				service(OrderManagement, orders);
			};
			const server = createServer(connectNodeAdapter({ routes }));
			server.listen(0, "127.0.0.1");
			await once(server, "listening");
			const sessions = new Set<ServerHttp2Session>();
			server.on("session", (session) => sessions.add(session));
			const { port } = server.address() as AddressInfo;
			const baseUrl = `http://127.0.0.1:${port}`;
			const client = NewOrderManagementClient(
				create({ baseUrl, httpVersion: "2" }),
				{ retryPolicy: soon },
			);
			expect((await client.getOrder({})).id).toBe("unary");
			expect((await client.searchOrders({}).recv())?.id).toBe("stream");
			expect(previous).toEqual([null, "1", "2", null, "1", "2"]);
			for (const session of sessions) session.destroy();
			server.close();
		},
	);

	test("pushback in the trailers is obeyed", async () => {
		await using server = await answering([busy, pushingBack("-1"), fine]);
		const client = NewOrderManagementClient(
			createGrpcTransport({ baseUrl: `http://${server.address}` }),
			{ retryPolicy: soon },
		);
		await errorOf(client.getOrder({}));
		expect(server.seen).toHaveLength(2);
	});
});
