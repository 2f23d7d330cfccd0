import { AsyncLocalStorage } from "node:async_hooks";
import {
	Code,
	ConnectError,
	createContextKey,
	type Interceptor,
} from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import {
	getOrder,
	type Orders,
	order,
	orderOf,
	processOrders,
	searchOrders,
	serving,
	text,
	textOf,
	updateOrders,
} from "../../../testdata/harness/serving.ts";
import { OrderSchema } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";

const orders: Orders = {
	getOrder: ({ value }) => ({ id: value }),
	async *searchOrders({ value }) {
		yield { id: `${value}1` };
		yield { id: `${value}2` };
	},
	async updateOrders(requests) {
		const ids: string[] = [];
		for await (const { id } of requests) ids.push(id);
		return { value: ids.join() };
	},
	async *processOrders(requests) {
		for await (const { value } of requests) yield { id: value };
	},
};

const requests: readonly [string, Uint8Array][] = [
	[getOrder, text("a")],
	[searchOrders, text("a")],
	[updateOrders, order({ id: "a" })],
	[processOrders, text("a")],
];

describe("interceptors", () => {
	test("see every kind of method as in Connect, and do not change it", async () => {
		const seen: object[] = [];
		const look: Interceptor = (next) => async (request) => {
			const response = await next(request);
			seen.push({
				name: request.method.name,
				service: request.service.typeName,
				url: request.url,
				requestMethod: request.requestMethod,
				header: request.header.get("x-header"),
				streams: [request.stream, response.stream],
				sameMethod: request.method === response.method,
			});
			return response;
		};
		await using served = await serving(orders, { interceptors: [look] });
		const results: unknown[] = [];
		for (const [path, message] of requests) {
			const call = served.client.open(path, {
				":authority": "a.test",
				"x-header": "h",
			});
			const { messages, status } = await call.send(message).end().outcome;
			expect(status).toBe(0);
			results.push(messages.map(textOf));
		}
		expect(results).toEqual([["a"], ["a1", "a2"], ["a"], ["a"]]);
		expect(seen).toEqual(
			requests.map(([path], index) => ({
				name: path.split("/").at(-1),
				service: "ecommerce.OrderManagement",
				url: `http://a.test${path}`,
				requestMethod: "POST",
				header: "h",
				streams: index === 0 ? [false, false] : [true, true],
				sameMethod: true,
			})),
		);
	});

	test("the first is the outermost", async () => {
		const trace: string[] = [];
		const named =
			(name: string): Interceptor =>
			(next) =>
			async (request) => {
				trace.push(`${name} in`);
				const response = await next(request);
				trace.push(`${name} out`);
				return response;
			};
		await using served = await serving(orders, {
			interceptors: [named("first"), named("second")],
		});
		await served.client.open(getOrder).send(text("a")).end().outcome;
		expect(trace).toEqual(["first in", "second in", "second out", "first out"]);
	});

	test("may answer or refuse without the handler", async () => {
		const handler = vi.fn(() => ({}));
		const guard: Interceptor = (next) => async (request) => {
			if (request.header.get("authorization") !== "Bearer good") {
				throw new ConnectError("who are you?", Code.Unauthenticated, {
					"x-hint": "token",
				});
			}
			return next(request);
		};
		await using served = await serving(
			{ getOrder: handler, searchOrders: handler as never },
			{ interceptors: [guard] },
		);
		for (const path of [getOrder, searchOrders]) {
			const call = served.client.open(path).send(text("a")).end();
			const { headers, status } = await call.outcome;
			expect(status).toBe(16);
			expect(headers).toHaveProperty("x-hint", "token");
		}
		expect(handler).not.toHaveBeenCalled();
	});

	test("errors that they throw are masked, unless they are ConnectErrors", async () => {
		const onError = vi.fn();
		const broken: Interceptor = () => async () => {
			throw new Error("secret");
		};
		await using served = await serving(orders, {
			interceptors: [broken],
			onError,
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		const { status, message } = await call.outcome;
		expect(status).toBe(2);
		expect(message).not.toContain("secret");
		expect(onError).toHaveBeenCalledTimes(1);
	});

	test("may pass on another request, with other headers, signal and values", async () => {
		const key = createContextKey("default");
		const { signal } = new AbortController();
		const change: Interceptor = (next) => async (request) => {
			request.contextValues.set(key, "set");
			if (request.stream) return next(request);
			const header = new Headers(request.header);
			header.set("x-added", "1");
			const message = { ...request.message, value: "changed" };
			return next({ ...request, header, signal, message });
		};
		await using served = await serving(
			{
				getOrder: ({ value }, context) => ({
					id: value,
					items: [
						String(context.requestHeader.get("x-added")),
						context.values.get(key),
						String(context.signal === signal),
					],
				}),
			},
			{ interceptors: [change] },
		);
		const call = served.client.open(getOrder).send(text("a")).end();
		expect(orderOf((await call.outcome).messages[0])).toMatchObject({
			id: "changed",
			items: ["1", "set", "true"],
		});
	});

	test("may change responses, their headers and trailers", async () => {
		const change: Interceptor = (next) => async (request) => {
			const response = await next(request);
			response.header.set("x-header", "h");
			if (!response.stream) {
				return {
					...response,
					trailer: new Headers({ "x-trailer": "t" }),
					message: { ...response.message, id: "changed" } as never,
				};
			}
			const { message } = response;
			return {
				...response,
				message: (async function* () {
					for await (const one of message) {
						yield { ...one, id: "changed" } as never;
					}
					response.trailer.set("x-trailer", "t");
				})(),
			};
		};
		await using served = await serving(orders, { interceptors: [change] });
		for (const path of [getOrder, searchOrders]) {
			const call = served.client.open(path).send(text("a")).end();
			const { headers, messages, trailers } = await call.outcome;
			expect(headers).toHaveProperty("x-header", "h");
			expect(trailers).toHaveProperty("x-trailer", "t");
			expect(new Set(messages.map((bytes) => orderOf(bytes).id))).toEqual(
				new Set(["changed"]),
			);
		}
	});

	test("see responses as messages, also if the handler returned plain objects", async () => {
		const names: string[] = [];
		const look: Interceptor = (next) => async (request) => {
			const response = await next(request);
			if (!response.stream) names.push(response.message.$typeName);
			return response;
		};
		await using served = await serving(orders, { interceptors: [look] });
		await served.client.open(getOrder).send(text("a")).end().outcome;
		expect(names).toEqual([OrderSchema.typeName]);
	});

	test("that return no proper response fail the call and nothing else", async () => {
		const onError = vi.fn();
		const answers = [
			undefined,
			{ stream: false, message: {} },
			{ stream: false, message: undefined, header: {}, trailer: {} },
		];
		const broken: Interceptor = () => async () => answers.pop() as never;
		await using served = await serving(orders, {
			interceptors: [broken],
			onError,
		});
		for (let count = answers.length; count > 0; count--) {
			const call = served.client.open(getOrder).send(text("a")).end();
			expect((await call.outcome).status).not.toBeUndefined();
		}
		expect(served.server.snapshot().calls.inFlight).toBe(0);
		expect(onError).toHaveBeenCalled();
	});

	test("tell a handler that its call has ended before it was asked for a response", async () => {
		const entered = Promise.withResolvers<void>();
		const left = Promise.withResolvers<void>();
		const returned = Promise.withResolvers<void>();
		const slow: Interceptor = (next) => async (request) => {
			request.signal.addEventListener("abort", () => left.resolve());
			entered.resolve();
			await left.promise;
			return next(request);
		};
		await using served = await serving(
			{
				searchOrders: () => ({
					[Symbol.asyncIterator]: () => ({
						next: () => new Promise(() => {}),
						async return() {
							returned.resolve();
							return { done: true, value: undefined };
						},
					}),
				}),
			},
			{ interceptors: [slow] },
		);
		const call = served.client.open(searchOrders).send(text("a")).end();
		await entered.promise;
		call.cancel();
		await returned.promise;
	});

	test("let a handler clean up that yields what is no message", async () => {
		const cleanedUp = Promise.withResolvers<void>();
		const idle: Interceptor = (next) => (request) => next(request);
		await using served = await serving(
			{
				async *searchOrders() {
					try {
						yield "text" as never;
					} finally {
						cleanedUp.resolve();
					}
				},
			},
			{ interceptors: [idle] },
		);
		const call = served.client.open(searchOrders).send(text("a")).end();
		expect((await call.outcome).status).toBe(2);
		await cleanedUp.promise;
	});

	test("do not change the deadline, nor the end of a stream", async () => {
		const cleanedUp = Promise.withResolvers<void>();
		const idle: Interceptor = (next) => (request) => next(request);
		await using served = await serving(
			{
				async *searchOrders(_, { signal }) {
					try {
						yield { id: "a" };
						await new Promise((resolve) =>
							signal.addEventListener("abort", resolve),
						);
						yield { id: "late" };
					} finally {
						cleanedUp.resolve();
					}
				},
			},
			{ interceptors: [idle] },
		);
		const call = served.client.open(searchOrders, { "grpc-timeout": "30m" });
		const { messages, status } = await call.send(text("a")).end().outcome;
		expect([messages.length, status]).toEqual([1, 4]);
		await cleanedUp.promise;
	});

	describe("an AsyncLocalStorage that an interceptor enters", () => {
		const spans = new AsyncLocalStorage<string>();
		const enter =
			(span: string): Interceptor =>
			(next) =>
			(request) =>
				spans.run(span, () => next(request));

		test.each(requests)(
			"is set in the whole handler: %s",
			async (path, request) => {
				const seen: unknown[] = [];
				const note = async (): Promise<void> => {
					seen.push(spans.getStore());
					await new Promise((resolve) => setImmediate(resolve));
					seen.push(spans.getStore());
				};
				await using served = await serving(
					{
						async getOrder() {
							await note();
							return {};
						},
						async *searchOrders() {
							await note();
							yield {};
							await note();
							yield {};
							await note();
						},
						async updateOrders(messages) {
							await note();
							for await (const _ of messages) await note();
							await note();
							return {};
						},
						async *processOrders(messages) {
							await note();
							for await (const _ of messages) {
								await note();
								yield {};
							}
							await note();
						},
					},
					{ interceptors: [enter("span")] },
				);
				const call = served.client.open(path).send(request).end();
				expect((await call.outcome).status).toBe(0);
				expect(seen.length).toBeGreaterThanOrEqual(2);
				expect(new Set(seen)).toEqual(new Set(["span"]));
			},
		);

		test("is set where a stream cleans up after its client has left", async () => {
			const cleanedUp = Promise.withResolvers<string | undefined>();
			await using served = await serving(
				{
					async *searchOrders() {
						try {
							for (;;) {
								yield {};
								await new Promise((resolve) => setImmediate(resolve));
							}
						} finally {
							cleanedUp.resolve(spans.getStore());
						}
					},
				},
				{ interceptors: [enter("span")] },
			);
			const call = served.client.open(searchOrders).send(text("a")).end();
			await call.received(1);
			call.cancel();
			expect(await cleanedUp.promise).toBe("span");
		});

		test("is set in the iterations of inner interceptors, and not in those of outer ones", async () => {
			const seen: Record<string, unknown[]> = { inside: [], outside: [] };
			const watch =
				(name: "inside" | "outside"): Interceptor =>
				(next) =>
				async (request) => {
					const response = await next(request);
					if (!response.stream) return response;
					const { message } = response;
					const watched = async function* () {
						for await (const one of message) {
							seen[name]?.push(spans.getStore());
							yield one;
						}
					};
					return { ...response, message: watched() };
				};
			await using served = await serving(orders, {
				interceptors: [watch("outside"), enter("span"), watch("inside")],
			});
			const call = served.client.open(searchOrders).send(text("a")).end();
			expect((await call.outcome).messages.length).toBe(2);
			expect(seen).toEqual({
				inside: ["span", "span"],
				outside: [undefined, undefined],
			});
		});
	});
});
