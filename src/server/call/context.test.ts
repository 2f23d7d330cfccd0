import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import {
	getOrder,
	processOrders,
	searchOrders,
	serving,
	text,
} from "../../../testdata/harness/serving.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { ambientScope, scopeOf } from "../../policy/call-scope.ts";

/** What a unary handler sees. */
async function contextOf(
	headers: Record<string, string | string[]> = {},
): Promise<HandlerContext> {
	const seen = Promise.withResolvers<HandlerContext>();
	await using served = await serving({
		getOrder: (_, context) => {
			// Headers are made when they are asked for.
			void context.requestHeader;
			seen.resolve(context);
			return {};
		},
	});
	const call = served.client.open(getOrder, headers).send(text("a")).end();
	expect((await call.outcome).status).toBe(0);
	return seen.promise;
}

describe("a handler's context", () => {
	test("has the method, the service and the URL of the call", async () => {
		const context = await contextOf({ ":authority": "orders.test" });
		expect(context.service).toBe(OrderManagement);
		expect(context.method).toBe(OrderManagement.method.getOrder);
		expect(context.requestMethod).toBe("POST");
		expect(context.protocolName).toBe("grpc");
		expect(context.url).toBe(
			"http://orders.test/ecommerce.OrderManagement/getOrder",
		);
	});

	test("has the request headers: repeated ones joined, binary ones split", async () => {
		const { requestHeader } = await contextOf({
			"x-one": "1",
			"x-two": ["1", "2"],
			"x-bin": ["AQ", "Ag,Aw=="],
		});
		expect(requestHeader.get("x-one")).toBe("1");
		expect(requestHeader.get("x-two")).toBe("1, 2");
		expect(requestHeader.get("x-bin")).toBe("AQ, Ag, Aw==");
		expect([...requestHeader.keys()].join()).not.toContain(":");
	});

	test("keeps context values, with their defaults", async () => {
		const key = createContextKey(1);
		const { values } = await contextOf();
		expect(values.get(key)).toBe(1);
		values.set(key, 2);
		expect(values.get(key)).toBe(2);
	});

	test("returns the same objects every time", async () => {
		const context = await contextOf();
		expect(context.requestHeader).toBe(context.requestHeader);
		expect(context.responseHeader).toBe(context.responseHeader);
		expect(context.responseTrailer).toBe(context.responseTrailer);
		expect(context.signal).toBe(context.signal);
		expect(context.values).toBe(context.values);
	});

	test("has a signal that has fired if it is first read after the call", async () => {
		const context = await contextOf();
		expect(context.signal.aborted).toBe(true);
	});

	test("creates no Headers and no AbortController for a handler that reads none", async () => {
		await using served = await serving({
			getOrder: () => ({}),
			async *searchOrders() {
				yield {};
			},
		});
		const headers = vi.spyOn(globalThis, "Headers");
		const controllers = vi.spyOn(globalThis, "AbortController");
		try {
			for (const path of [getOrder, searchOrders]) {
				const call = served.client.open(path, { "grpc-timeout": "5S" });
				expect((await call.send(text("a")).end().outcome).status).toBe(0);
			}
			expect(headers).not.toHaveBeenCalled();
			expect(controllers).not.toHaveBeenCalled();
		} finally {
			vi.restoreAllMocks();
		}
	});
});

describe("response headers and trailers", () => {
	test("are sent with a unary response", async () => {
		await using served = await serving({
			getOrder: (_, context) => {
				context.responseHeader.set("x-header", "h");
				context.responseHeader.append("x-bin", "AQ==");
				context.responseTrailer.set("x-trailer", "t");
				context.responseTrailer.set("grpc-retry-pushback-ms", "5");
				return {};
			},
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		const { headers, trailers } = await call.outcome;
		expect(headers).toMatchObject({ "x-header": "h", "x-bin": "AQ" });
		expect(trailers).toMatchObject({
			"x-trailer": "t",
			"grpc-retry-pushback-ms": "5",
		});
	});

	test("are sent with a stream: headers before its first message, trailers at its end", async () => {
		await using served = await serving({
			async *searchOrders(_, context) {
				context.responseHeader.set("x-header", "h");
				yield {};
				context.responseHeader.set("x-late", "never");
				context.responseTrailer.set("x-trailer", "t");
			},
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		const { headers, trailers } = await call.outcome;
		expect(headers).toHaveProperty("x-header", "h");
		expect(headers).not.toHaveProperty("x-late");
		expect(trailers).toHaveProperty("x-trailer", "t");
	});

	test("are sent with an error", async () => {
		await using served = await serving({
			getOrder: (_, context) => {
				context.responseHeader.set("x-header", "h");
				context.responseTrailer.set("x-trailer", "t");
				throw new Error();
			},
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		const { headers, trailers, status } = await call.outcome;
		expect(headers).toHaveProperty("x-header", "h");
		expect(trailers).toHaveProperty("x-trailer", "t");
		expect(status).toBe(2);
	});

	test("cannot set the headers that gRPC sets itself", async () => {
		await using served = await serving({
			getOrder: (_, context) => {
				for (const headers of [
					context.responseHeader,
					context.responseTrailer,
				]) {
					headers.set("content-type", "text/html");
					headers.set("grpc-status", "7");
					headers.set("grpc-encoding", "br");
					headers.set("connection", "close");
					headers.set("te", "gzip");
				}
				return {};
			},
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		const { headers, trailers, status } = await call.outcome;
		expect(headers?.["content-type"]).toBe("application/grpc");
		expect(headers).not.toHaveProperty("grpc-encoding");
		expect(Object.keys(trailers ?? {})).toEqual(["grpc-status"]);
		expect(status).toBe(0);
	});
});

describe("the scope of a call", () => {
	test("is set in the handler, after its awaits, and in each step of its stream", async () => {
		const outside: unknown[] = [];
		await using served = await serving({
			getOrder: async (_, context) => {
				outside.push(ambientScope() !== scopeOf(context));
				await new Promise((resolve) => setTimeout(resolve, 1));
				outside.push(ambientScope() !== scopeOf(context));
				return {};
			},
			async *searchOrders(_, context) {
				// Beyond what flow control lets through at once.
				for (let i = 0; i < 200; i++) {
					outside.push(ambientScope() !== scopeOf(context));
					yield { description: "x".repeat(10_000) };
				}
			},
			processOrders: (requests, context) => {
				const reader = requests[Symbol.asyncIterator]();
				const check = () => outside.push(ambientScope() !== scopeOf(context));
				check();
				return {
					[Symbol.asyncIterator]: () => ({
						next: async () => {
							check();
							const { done, value } = await reader.next();
							check();
							return done
								? { done, value: undefined }
								: { done: false, value: { id: value.value } };
						},
					}),
				};
			},
		});
		const calls = [getOrder, searchOrders, processOrders].map((path) =>
			served.client.open(path).send(text("a")),
		);
		await new Promise((resolve) => setTimeout(resolve, 20));
		for (const call of calls) {
			expect((await call.end().outcome).status).toBe(0);
		}
		expect(outside).toHaveLength(207);
		expect(outside).not.toContain(true);
		expect(ambientScope()).toBeUndefined();
	});

	test("is set where a stream cleans up after its client has left", async () => {
		const scopes = Promise.withResolvers<unknown[]>();
		await using served = await serving({
			async *searchOrders(_, context) {
				try {
					for (;;) yield { description: "x".repeat(10_000) };
				} finally {
					scopes.resolve([ambientScope(), scopeOf(context)]);
				}
			},
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		call.stream.pause();
		await call.headers;
		call.cancel();
		const [ambient, own] = await scopes.promise;
		expect(ambient).toBe(own);
	});

	test("reports a cancellation once, and not the normal end of the handler", async () => {
		const heard = vi.fn();
		const fired = Promise.withResolvers<void>();
		await using served = await serving({
			getOrder: ({ value }, context) => {
				scopeOf(context).onCancel((reason) => heard(value, reason));
				const forget = scopeOf(context).onCancel(() => heard("forgotten"));
				forget();
				context.signal.addEventListener("abort", () => fired.resolve());
				return value === "wait" ? new Promise<never>(() => {}) : {};
			},
		});
		await served.client.open(getOrder).send(text("good")).end().outcome;
		await fired.promise;
		expect(heard).not.toHaveBeenCalled();
		const call = served.client.open(getOrder, { "grpc-timeout": "20m" });
		await call.send(text("wait")).end().outcome;
		expect(heard).toHaveBeenCalledTimes(1);
		expect(heard).toHaveBeenCalledWith(
			"wait",
			expect.objectContaining({ rawMessage: "deadline of 20 ms passed" }),
		);
	});

	test("has the deadline on the clock of performance.now", async () => {
		const deadlines: (number | undefined)[] = [];
		await using served = await serving({
			getOrder: (_, context) => {
				deadlines.push(scopeOf(context).deadline);
				return {};
			},
		});
		const before = performance.now();
		for (const headers of [{ "grpc-timeout": "3S" }, {}]) {
			await served.client.open(getOrder, headers).send(text("a")).end().outcome;
		}
		expect(deadlines[0]).toBeGreaterThanOrEqual(before + 3000);
		expect(deadlines[0]).toBeLessThanOrEqual(performance.now() + 3000);
		expect(deadlines[1]).toBeUndefined();
	});
});
