import {
	Code,
	ConnectError,
	createClient,
	createContextKey,
	createContextValues,
	type Interceptor,
	type UnaryResponse,
} from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import {
	NewOrderManagementClient,
	type OrderManagementClient,
	type OrderManagementServer,
	RegisterOrderManagementServer,
} from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { Server } from "../../server/server.ts";
import { Channel } from "../channel.ts";
import { channelOf } from "../client-object.ts";

/** The methods whose handlers were called, with their x-mark header. */
const handled: string[] = [];
const marks: (string | null)[] = [];

const orders: OrderManagementServer = {
	getOrder({ value }, context) {
		handled.push("getOrder");
		marks.push(context.requestHeader.get("x-mark"));
		context.responseHeader.set("x-header", "first");
		context.responseTrailer.set("x-trailer", "last");
		if (value === "fail") throw new ConnectError("gone", Code.NotFound);
		if (value === "hang") return new Promise(() => {});
		return { id: value };
	},
	async *searchOrders({ value }, context) {
		handled.push("searchOrders");
		marks.push(context.requestHeader.get("x-mark"));
		context.responseHeader.set("x-header", "first");
		context.responseTrailer.set("x-trailer", "last");
		yield { id: `${value}1` };
		yield { id: `${value}2` };
		if (value === "fail") throw new ConnectError("gone", Code.NotFound);
		if (value === "hang") {
			await new Promise<void>((resolve) =>
				context.signal.addEventListener("abort", () => resolve()),
			);
			handled.push("searchOrders aborted");
		}
	},
	async updateOrders(requests, context) {
		handled.push("updateOrders");
		marks.push(context.requestHeader.get("x-mark"));
		const ids: string[] = [];
		for await (const { id } of requests) ids.push(id);
		return { value: ids.join() };
	},
	async *processOrders(requests, context) {
		handled.push("processOrders");
		marks.push(context.requestHeader.get("x-mark"));
		for await (const { value } of requests) yield { id: value };
	},
};

const server = new Server();
let address: string;

beforeAll(async () => {
	RegisterOrderManagementServer(server, orders);
	({ address } = await server.listen("127.0.0.1:0"));
});

afterAll(() => server.shutdown());

async function idsOf(found: AsyncIterable<{ id: string }>): Promise<string> {
	const ids: string[] = [];
	for await (const { id } of found) ids.push(id);
	return ids.join();
}

const kinds: readonly {
	kind: string;
	call(client: OrderManagementClient): Promise<string>;
	answer: string;
}[] = [
	{
		kind: "getOrder",
		call: async (client) => (await client.getOrder({ value: "a" })).id,
		answer: "a",
	},
	{
		kind: "searchOrders",
		call: (client) => idsOf(client.searchOrders({ value: "a" })),
		answer: "a1,a2",
	},
	{
		kind: "updateOrders",
		call: async (client) =>
			(await client.updateOrders([{ id: "1" }, { id: "2" }])).value,
		answer: "1,2",
	},
	{
		kind: "processOrders",
		call: (client) =>
			idsOf(client.processOrders([{ value: "1" }, { value: "2" }])),
		answer: "1,2",
	},
];

/** Records when calls pass it, on their way in and on their way out. */
function passing(notes: string[], name: string): Interceptor {
	return (next) => async (request) => {
		notes.push(`${name} in`);
		const response = await next(request);
		notes.push(`${name} out`);
		return response;
	};
}

describe.each(kinds)("the interceptors of $kind", ({ kind, call, answer }) => {
	test("run once per call, the first outermost, those of the client around those of the channel", async () => {
		const notes: string[] = [];
		await using channel = new Channel(address, {
			interceptors: [passing(notes, "c"), passing(notes, "d")],
		});
		const client = NewOrderManagementClient(channel, {
			interceptors: [passing(notes, "a"), passing(notes, "b")],
		});
		expect(await call(client)).toBe(answer);
		expect(notes.join()).toBe("a in,b in,c in,d in,d out,c out,b out,a out");
	});

	test("see what they would see in a Connect client", async () => {
		const seen: unknown[] = [];
		await using client = NewOrderManagementClient(address, {
			authority: "orders.test",
			interceptors: [
				(next) => (request) => {
					const { url, stream, requestMethod, method, service } = request;
					seen.push(
						{ url, stream, requestMethod },
						method.name,
						service.typeName,
					);
					expect(request.signal.aborted).toBe(false);
					return next(request);
				},
			],
		});
		await call(client);
		const url = `http://orders.test/ecommerce.OrderManagement/${kind}`;
		expect(seen).toEqual([
			{ url, stream: kind !== "getOrder", requestMethod: "POST" },
			kind,
			"ecommerce.OrderManagement",
		]);
	});

	test("can change request headers", async () => {
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				(next) => (request) => {
					request.header.set("x-mark", "made");
					return next(request);
				},
			],
		});
		marks.length = 0;
		await call(client);
		expect(marks).toEqual(["made"]);
	});

	test("can respond or fail without sending anything", async () => {
		await using refused = NewOrderManagementClient(address, {
			interceptors: [
				() => async () => {
					throw new ConnectError("not today", Code.PermissionDenied);
				},
			],
		});
		handled.length = 0;
		await expect(call(refused)).rejects.toMatchObject({
			code: Code.PermissionDenied,
			rawMessage: "not today",
		});
		expect(handled).toEqual([]);
	});

	test("that throw anything fail the call with a ConnectError", async () => {
		const thrown = new Error("slipped");
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				() => () => {
					throw thrown;
				},
			],
		});
		const error = await call(client).catch((reason: unknown) => reason);
		expect(error).toBeInstanceOf(ConnectError);
		expect(error).toMatchObject({ code: Code.Unknown, cause: thrown });
	});

	test("that hang cannot hold up a call beyond its deadline", async () => {
		await using client = NewOrderManagementClient(address, {
			methods: { [kind]: { timeout: 60 } },
			interceptors: [() => () => new Promise(() => {})],
		});
		await expect(call(client)).rejects.toMatchObject({
			code: Code.DeadlineExceeded,
		});
	});

	test("that are async functions fail with an error that says how to write one", async () => {
		const wrong = (async () => Promise.reject(new Error("unseen"))) as never;
		await using client = NewOrderManagementClient(address, {
			interceptors: [wrong],
		});
		await expect(call(client)).rejects.toThrow(
			"an interceptor returned an object of class Promise, and no function: write (next) => async (request) => …",
		);
	});

	test("that throw while they are set up fail the call with a ConnectError, too", async () => {
		const thrown = new Error("slipped");
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				() => {
					throw thrown;
				},
			],
		});
		const error = await call(client).catch((reason: unknown) => reason);
		expect(error).toBeInstanceOf(ConnectError);
		expect(error).toMatchObject({ code: Code.Unknown, cause: thrown });
	});

	test.each([undefined, null, 42, {}])(
		"that return no response (%s) fail the call with an error that says so",
		async (returned) => {
			await using client = NewOrderManagementClient(address, {
				interceptors: [() => async () => returned as never],
			});
			const error = await call(client).catch((reason: unknown) => reason);
			expect(error).toBeInstanceOf(ConnectError);
			expect(String(error)).toMatch(
				/an interceptor has returned .*, which is no response/,
			);
		},
	);

	test("see the deadline by the signal, and may fail with their own error", async () => {
		const reasons: unknown[] = [];
		await using client = NewOrderManagementClient(address, {
			methods: { [kind]: { timeout: 60 } },
			interceptors: [
				() => (request) =>
					new Promise((_resolve, reject) => {
						request.signal.addEventListener("abort", () => {
							reasons.push(request.signal.reason);
							reject(new ConnectError("took too long", Code.Unavailable));
						});
					}),
			],
		});
		await expect(call(client)).rejects.toMatchObject({
			code: Code.Unavailable,
			rawMessage: "took too long",
		});
		expect(reasons).toMatchObject([{ code: Code.DeadlineExceeded }]);
	});
});

describe("interceptors", () => {
	test("can read headers and trailers of responses", async () => {
		const seen: (string | null)[] = [];
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				(next) => async (request) => {
					const response = await next(request);
					seen.push(response.header.get("x-header"));
					if (response.stream) {
						const { message } = response;
						return {
							...response,
							message: (async function* () {
								yield* message;
								seen.push(response.trailer.get("x-trailer"));
							})(),
						};
					}
					seen.push(response.trailer.get("x-trailer"));
					return response;
				},
			],
		});
		await client.getOrder({ value: "a" });
		await idsOf(client.searchOrders({ value: "a" }));
		expect(seen).toEqual(["first", "last", "first", "last"]);
	});

	test("can respond in place of the server", async () => {
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				() =>
					async (request): Promise<UnaryResponse> => ({
						stream: false,
						service: request.service,
						method: request.method as UnaryResponse["method"],
						header: new Headers({ "x-header": "cached" }),
						trailer: new Headers(),
						message: { $typeName: "ecommerce.Order", id: "cached" } as never,
					}),
			],
		});
		handled.length = 0;
		const onHeader = vi.fn<(header: Headers) => void>();
		const { id } = await client.getOrder({ value: "a" }, { onHeader });
		expect(id).toBe("cached");
		expect(onHeader.mock.calls[0]?.[0].get("x-header")).toBe("cached");
		expect(handled).toEqual([]);
	});

	test("can map errors", async () => {
		const mapping: Interceptor = (next) => async (request) => {
			try {
				return await next(request);
			} catch (error) {
				const { rawMessage } = ConnectError.from(error);
				throw new ConnectError(`mapped: ${rawMessage}`, Code.DataLoss);
			}
		};
		await using client = NewOrderManagementClient(address, {
			interceptors: [mapping],
		});
		await expect(client.getOrder({ value: "fail" })).rejects.toMatchObject({
			code: Code.DataLoss,
			rawMessage: "mapped: gone",
		});
	});

	test.each([false, true])(
		"that hang between messages cannot hold up a call beyond its deadline (server still busy: %s)",
		async (busy) => {
			async function* stuck<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
				for await (const message of messages) {
					yield message;
					await new Promise(() => {});
				}
			}
			await using client = NewOrderManagementClient(address, {
				interceptors: [
					(next) => async (request) => {
						const response = await next(request);
						return response.stream
							? { ...response, message: stuck(response.message) }
							: response;
					},
				],
			});
			const options = { timeoutMs: 100 };
			const found = client.searchOrders(
				{ value: busy ? "hang" : "a" },
				options,
			);
			expect((await found.recv())?.id).toBe(busy ? "hang1" : "a1");
			await expect(found.recv()).rejects.toMatchObject({
				code: Code.DeadlineExceeded,
			});
			await expect(client.updateOrders([], options)).rejects.toMatchObject({
				code: Code.DeadlineExceeded,
			});
		},
	);

	test("share the caller's context values", async () => {
		const given = createContextKey("nothing");
		const found = createContextKey("nothing");
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				(next) => (request) => {
					request.contextValues.set(found, request.contextValues.get(given));
					return next(request);
				},
			],
		});
		for (const options of [{}, { waitForReady: true }]) {
			const contextValues = createContextValues().set(given, "something");
			await client.getOrder({ value: "a" }, { ...options, contextValues });
			expect(contextValues.get(found)).toBe("something");
		}
	});

	test("that fail after the server has started to respond cancel its work", async () => {
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				(next) => async (request) => {
					await next(request);
					throw new Error("changed my mind");
				},
			],
		});
		handled.length = 0;
		const found = client.searchOrders({ value: "hang" });
		await expect(found.recv()).rejects.toThrow("changed my mind");
		await vi.waitFor(() => expect(handled).toContain("searchOrders aborted"));
	});

	test("that make a second attempt of a stream can still be cancelled by its signal", async () => {
		const again: Interceptor = (next) => async (request) => {
			const first = await next(request);
			if (first.stream) await idsOf(first.message as never).catch(() => {});
			return next({ ...request, message: once() } as never);
		};
		async function* once() {
			yield { $typeName: "google.protobuf.StringValue", value: "hang" };
		}
		await using client = NewOrderManagementClient(address, {
			interceptors: [again],
		});
		handled.length = 0;
		const found = client.searchOrders({ value: "fail" }, { timeoutMs: 20_000 });
		expect((await found.recv())?.id).toBe("hang1");
		found.cancel();
		await vi.waitFor(() => expect(handled).toContain("searchOrders aborted"));
	});

	test("have a signal that works until the end of a stream, and leaves no listener behind", async () => {
		const signals: AbortSignal[] = [];
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				(next) => (request) => {
					signals.push(request.signal);
					return next(request);
				},
			],
		});
		// Connects before the deadline starts: on a busy machine that takes its time.
		await channelOf(client)?.connect();
		const found = client.searchOrders({ value: "hang" }, { timeoutMs: 500 });
		expect((await found.recv())?.id).toBe("hang1");
		expect(signals[0]?.aborted).toBe(false);
		await vi.waitFor(
			() =>
				expect(signals[0]?.reason).toMatchObject({
					code: Code.DeadlineExceeded,
				}),
			{ timeout: 10_000 },
		);

		await using channel = new Channel(address, {
			interceptors: [
				(next) => (request) => {
					signals.push(request.signal);
					return next(request);
				},
			],
		});
		const abort = new AbortController();
		const borrowing = createClient(OrderManagement, channel);
		const { signal } = abort;
		await idsOf(borrowing.searchOrders({ value: "a" }, { signal }));
		abort.abort();
		expect(signals[1]?.aborted).toBe(false);
	});

	test("around the messages can clean up when the iteration is left early", async () => {
		let cleaned = false;
		await using client = NewOrderManagementClient(address, {
			interceptors: [
				(next) => async (request) => {
					const response = await next(request);
					if (!response.stream) return response;
					const { message } = response;
					return {
						...response,
						message: (async function* () {
							try {
								yield* message;
							} finally {
								cleaned = true;
							}
						})(),
					};
				},
			],
		});
		for await (const { id } of client.searchOrders({ value: "a" })) {
			expect(id).toBe("a1");
			break;
		}
		await vi.waitFor(() => expect(cleaned).toBe(true));
	});

	// As https://connectrpc.com/docs/web/interceptors writes them.
	test("in the style of Connect's documentation work: logging and authentication", async () => {
		const logged: string[] = [];
		const logger: Interceptor = (next) => async (req) => {
			logged.push(`sending message to ${new URL(req.url).pathname}`);
			const res = await next(req);
			if (!res.stream) logged.push(`message: ${res.message.$typeName}`);
			return res;
		};
		const authenticator: Interceptor = (next) => async (req) => {
			req.header.set("x-mark", "Bearer me");
			return await next(req);
		};
		await using client = NewOrderManagementClient(address, {
			interceptors: [logger, authenticator],
		});
		marks.length = 0;
		await client.getOrder({ value: "a" });
		expect(marks).toEqual(["Bearer me"]);
		expect(logged).toEqual([
			"sending message to /ecommerce.OrderManagement/getOrder",
			"message: ecommerce.Order",
		]);
	});
});
