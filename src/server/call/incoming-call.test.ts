import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { framed } from "../../../testdata/harness/raw-client.ts";
import {
	getOrder,
	order,
	orderOf,
	processOrders,
	searchOrders,
	serving,
	text,
	textOf,
	updateOrders,
} from "../../../testdata/harness/serving.ts";
import {
	OrderManagement,
	OrderSchema,
} from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { Deadlines } from "../../policy/deadlines.ts";
import { GzipTurns } from "../../wire/gzip/gzip-turns.ts";
import { readArrival } from "./arrival.ts";
import { IncomingCall } from "./incoming-call.ts";
import { ServedMethod } from "./served-method.ts";
import { UnreadBytes } from "./unread-bytes.ts";

/** A promise that a test settles. */
function gate(): PromiseWithResolvers<void> {
	return Promise.withResolvers<void>();
}

const never = new Promise<never>(() => {});

describe("the four kinds", () => {
	test("unary: one request and one response, which may be a plain object", async () => {
		await using served = await serving({
			getOrder: ({ value }) => ({ id: value, price: 2.5 }),
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		const { headers, messages, trailers, rstCode } = await call.outcome;
		expect(headers).toMatchObject({
			":status": 200,
			"content-type": "application/grpc",
		});
		expect(messages.map(orderOf)).toMatchObject([{ id: "a", price: 2.5 }]);
		expect(trailers).toMatchObject({ "grpc-status": "0" });
		expect(rstCode).toBe(0);
	});

	test("the response has the content type of the request", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const call = served.client.open(getOrder, {
			"content-type": "application/grpc+proto",
		});
		const { headers } = await call.send(text("a")).end().outcome;
		expect(headers?.["content-type"]).toBe("application/grpc+proto");
	});

	test("server streaming: each message that is yielded, in order", async () => {
		await using served = await serving({
			async *searchOrders({ value }) {
				for (let i = 0; i < 1000; i++) yield { id: `${value}${i}` };
			},
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		const { messages, status } = await call.outcome;
		expect(messages.map((message) => orderOf(message).id)).toEqual(
			Array.from({ length: 1000 }, (_, i) => `a${i}`),
		);
		expect(status).toBe(0);
	});

	test("server streaming: what a handler returns may be any iterable", async () => {
		await using served = await serving({
			searchOrders: () => [{ id: "a" }, { id: "b" }] as never,
		});
		const call = served.client.open(searchOrders).send(text("")).end();
		const { messages } = await call.outcome;
		expect(messages.map((message) => orderOf(message).id)).toEqual(["a", "b"]);
	});

	test("server streaming: a response may have no message", async () => {
		await using served = await serving({ async *searchOrders() {} });
		const call = served.client.open(searchOrders).send(text("")).end();
		expect(await call.outcome).toMatchObject({ messages: [], status: 0 });
	});

	test("client streaming: every request, then one response", async () => {
		await using served = await serving({
			async updateOrders(orders) {
				const ids: string[] = [];
				for await (const { id } of orders) ids.push(id);
				return { value: ids.join() };
			},
		});
		const call = served.client.open(updateOrders);
		call.send(order({ id: "a" })).send(order({ id: "b" }));
		await new Promise((resolve) => setImmediate(resolve));
		const { messages } = await call.send(order({ id: "c" })).end().outcome;
		expect(messages.map(textOf)).toEqual(["a,b,c"]);
	});

	test("client streaming: a handler may answer before the client has ended", async () => {
		await using served = await serving({
			async updateOrders(orders) {
				for await (const { id } of orders) return { value: `first ${id}` };
				return { value: "none" };
			},
		});
		const call = served.client.open(updateOrders);
		const { messages, status, rstCode } = await call.send(order({ id: "a" }))
			.outcome;
		expect(messages.map(textOf)).toEqual(["first a"]);
		expect(status).toBe(0);
		expect(rstCode).toBe(0);
	});

	test("bidirectional: responses leave while requests still come", async () => {
		await using served = await serving({
			async *processOrders(ids) {
				for await (const { value } of ids) yield { id: value };
			},
		});
		const call = served.client.open(processOrders);
		for (let i = 1; i <= 3; i++) {
			expect(await call.send(text(`${i}`)).received(i)).toHaveLength(i);
		}
		expect(await call.end().outcome).toMatchObject({ status: 0 });
	});

	test("handlers may be methods of a class", async () => {
		class Orders {
			readonly #prefix = "mine: ";
			getOrder({ value }: { value: string }) {
				return { id: this.#prefix + value };
			}
		}
		await using served = await serving(new Orders());
		const call = served.client.open(getOrder).send(text("a")).end();
		expect(orderOf((await call.outcome).messages[0]).id).toBe("mine: a");
	});
});

describe("a handler that throws", () => {
	test("a ConnectError is sent as it is", async () => {
		await using served = await serving({
			getOrder: () => {
				throw new ConnectError(
					"no such order: ü%",
					Code.NotFound,
					{ "retry-hint": "5", "id-bin": "AQID" },
					[{ desc: OrderSchema, value: { id: "detail" } }],
				);
			},
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		const { headers, trailers, messages } = await call.outcome;
		// Trailers-Only: nothing has been sent before.
		expect(trailers).toBeUndefined();
		expect(messages).toEqual([]);
		expect(headers).toMatchObject({
			":status": 200,
			"content-type": "application/grpc",
			"grpc-status": "5",
			"grpc-message": "no such order: %C3%BC%25",
			"retry-hint": "5",
			"id-bin": "AQID",
		});
		expect(headers?.["grpc-status-details-bin"]).toBeTruthy();
	});

	const secrets: [string, unknown][] = [
		["an Error", new Error("secret")],
		["a string", "secret"],
		["undefined", undefined],
		["null", null],
		["an object", { message: "secret" }],
	];
	test.each(secrets)(
		"%s is UNKNOWN to the client, and reaches onError whole",
		async (_, thrown) => {
			const onError = vi.fn();
			await using served = await serving(
				{
					getOrder: () => {
						throw thrown;
					},
					// biome-ignore lint/correctness/useYield: it fails before it could
					async *searchOrders() {
						throw thrown;
					},
				},
				{ onError },
			);
			for (const path of [getOrder, searchOrders]) {
				onError.mockClear();
				const call = served.client.open(path).send(text("a")).end();
				const { status, message, headers } = await call.outcome;
				expect(status).toBe(2);
				expect(message).toContain(path.slice(1));
				expect(JSON.stringify(headers)).not.toContain("secret");
				expect(onError.mock.calls).toEqual([
					[
						thrown,
						{
							service: "ecommerce.OrderManagement",
							method: path.split("/").at(-1),
						},
					],
				]);
			}
		},
	);

	test("without an onError its error is written to the console with its stack", async () => {
		const printed = vi.spyOn(console, "error").mockImplementation(() => {});
		const thrown = new Error("from the handler");
		await using served = await serving({
			getOrder: async () => {
				throw thrown;
			},
			async updateOrders() {
				throw new ConnectError("no", Code.NotFound);
			},
		});
		for (const path of [getOrder, updateOrders]) {
			await served.client.open(path).send(text("a")).end().outcome;
		}
		expect(printed.mock.calls).toEqual([
			["homing: ecommerce.OrderManagement/getOrder failed:", thrown],
		]);
		printed.mockRestore();
	});

	test("a ConnectError does not reach onError", async () => {
		const onError = vi.fn();
		await using served = await serving(
			{
				getOrder: async () => {
					throw new ConnectError("no", Code.NotFound);
				},
			},
			{ onError },
		);
		await served.client.open(getOrder).send(text("a")).end().outcome;
		expect(onError).not.toHaveBeenCalled();
	});

	test("what onError itself throws is written to the console and has no other effect", async () => {
		const printed = vi.spyOn(console, "error").mockImplementation(() => {});
		const hooks = [
			() => {
				throw new Error("from the hook");
			},
			async () => {
				throw new Error("from the hook");
			},
		];
		for (const onError of hooks) {
			await using served = await serving(
				{
					getOrder: () => {
						throw new Error("from the handler");
					},
				},
				{ onError },
			);
			for (let i = 0; i < 2; i++) {
				const call = served.client.open(getOrder).send(text("a")).end();
				expect((await call.outcome).status).toBe(2);
			}
		}
		expect(printed).toHaveBeenCalledWith(
			expect.stringContaining("onError of a server threw"),
			new Error("from the hook"),
		);
		printed.mockRestore();
	});

	test("responses that were sent before the error arrive", async () => {
		await using served = await serving({
			async *searchOrders() {
				yield { id: "a" };
				yield { id: "b" };
				throw new ConnectError("enough", Code.Aborted);
			},
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		expect(await call.outcome).toMatchObject({
			messages: [{}, {}],
			status: 10,
			message: "enough",
		});
	});

	test("metadata of an error that came from another server is not sent", async () => {
		await using served = await serving({
			getOrder: () => {
				const error = new ConnectError("upstream", Code.NotFound, {
					"x-internal": "1",
				});
				error.isWireError = true;
				throw error;
			},
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		const { headers, status } = await call.outcome;
		expect(status).toBe(5);
		expect(headers).not.toHaveProperty("x-internal");
	});

	test("a code that gRPC does not know is sent as UNKNOWN", async () => {
		await using served = await serving({
			getOrder: () => {
				throw new ConnectError("strange", 0 as Code);
			},
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(2);
	});
});

describe("metadata that cannot be sent as it is", () => {
	// node:http2 sends each of these once, or throws.
	test.each(["retry-after", "etag", "authorization", "x-any"])(
		"%s in the error and in the trailers is joined",
		async (name) => {
			await using served = await serving({
				getOrder: (_request, context) => fail(name, context),
				async *searchOrders(_request, context) {
					yield {};
					fail(name, context);
				},
			});
			const one = served.client.open(getOrder).send(text("")).end();
			expect((await one.outcome).headers?.[name]).toBe("1, 2");
			const many = served.client.open(searchOrders).send(text("")).end();
			const { status, trailers } = await many.outcome;
			expect(status).toBe(Code.Aborted);
			expect(trailers?.[name]).toBe("1, 2");
		},
	);

	function fail(name: string, context: HandlerContext): never {
		context.responseTrailer.set(name, "2");
		throw new ConnectError("no", Code.Aborted, { [name]: "1" });
	}

	const large = "x".repeat(128 * 1024);

	test("more headers or trailers than the client accepts fail the call with RESOURCE_EXHAUSTED, naming both numbers", async () => {
		await using served = await serving({
			getOrder({ value }, { responseHeader, responseTrailer }) {
				const headers = value === "headers" ? responseHeader : responseTrailer;
				headers.set("x-large", "x".repeat(3000));
				return {};
			},
		});
		const { session } = served.client;
		session.settings({ maxHeaderListSize: 3000 });
		await once(session, "localSettings");
		for (const what of ["headers", "trailers"]) {
			const call = served.client.open(getOrder).send(text(what)).end();
			const { status, message } = await call.outcome;
			expect(status).toBe(Code.ResourceExhausted);
			expect(message).toMatch(
				new RegExp(`${what} take 3\\d\\d\\d bytes, and the client takes 3000`),
			);
		}
	});

	test.each([
		["headers", Code.Internal],
		["trailers", Code.Internal],
		["error", Code.Aborted],
	])(
		"what ASCII metadata cannot hold, in %s, is refused by name",
		async (where, code) => {
			await using served = await serving(
				{
					getOrder(_, { responseHeader, responseTrailer }) {
						const bad = { "x-name": "caf\u00e9" };
						if (where === "error") throw new ConnectError("why", code, bad);
						const headers =
							where === "headers" ? responseHeader : responseTrailer;
						headers.set("x-name", bad["x-name"]);
						return {};
					},
				},
				{ onError: () => {} },
			);
			const call = served.client.open(getOrder).send(text("")).end();
			const { status, message } = await call.outcome;
			expect(status).toBe(code);
			expect(message).toContain('the value of "x-name"');
		},
	);

	test("more headers than node:http2 can send fail only the call", async () => {
		const onError = vi.fn();
		await using served = await serving(
			{
				getOrder({ value }, context) {
					if (value === "large") context.responseHeader.set("x-large", large);
					return {};
				},
			},
			{ onError },
		);
		const call = served.client.open(getOrder).send(text("large")).end();
		const { status, message } = await call.outcome;
		expect(status).toBe(Code.ResourceExhausted);
		expect(message).toMatch(/headers take \d+ bytes, and the limit is 131072/);
		expect(onError).toHaveBeenCalledOnce();
		expect(onError.mock.calls[0]?.[0].rawMessage).toBe(message);
		const next = served.client.open(getOrder).send(text("")).end();
		expect((await next.outcome).status).toBe(0);
	});

	test.each([
		["in an error's message", new ConnectError(`why ${large}`, Code.Aborted)],
		["in an error's metadata", new ConnectError("why", 10, { x: large })],
	])(
		"more trailers than a connection survives, %s, leave the code and the beginning of the message",
		async (_where, error) => {
			await using served = await serving({
				getOrder() {
					throw error;
				},
				async *searchOrders() {
					yield {};
					throw error;
				},
			});
			for (const path of [getOrder, searchOrders, getOrder]) {
				const call = served.client.open(path).send(text("")).end();
				const { status, message } = await call.outcome;
				expect(status).toBe(Code.Aborted);
				expect(message).toMatch(
					/trailers take \d+ bytes, and the limit is 131072: send less metadata; why/,
				);
				expect(message?.length).toBeLessThan(2000);
			}
		},
	);

	test("more trailers than node:http2 can send turn OK into RESOURCE_EXHAUSTED", async () => {
		await using served = await serving({
			getOrder(_request, context) {
				context.responseTrailer.set("x-large", large);
				return {};
			},
		});
		const call = served.client.open(getOrder).send(text("")).end();
		expect((await call.outcome).status).toBe(Code.ResourceExhausted);
	});
});

describe("a handler whose error cannot be sent", () => {
	test.each([
		["a detail with a bad field", { desc: OrderSchema, value: { price: "x" } }],
		["a detail that is none", undefined],
	])("%s: INTERNAL, and onError hears why", async (_, detail) => {
		const onError = vi.fn();
		const fail = () => {
			throw new ConnectError("no", Code.NotFound, undefined, [detail as never]);
		};
		await using served = await serving(
			{ getOrder: async () => fail(), searchOrders: fail },
			{ onError },
		);
		for (const path of [getOrder, searchOrders]) {
			const call = served.client.open(path).send(text("a")).end();
			expect((await call.outcome).status).toBe(13);
		}
		expect(onError).toHaveBeenCalledTimes(2);
		expect(served.server.snapshot().calls.inFlight).toBe(0);
	});
});

describe("a handler that returns something that is no response", () => {
	test("fails the call with INTERNAL, and onError hears why", async () => {
		const onError = vi.fn();
		await using served = await serving(
			{
				getOrder: () => ({ price: "none" }) as never,
				async *searchOrders() {
					yield { id: "a" };
					yield { price: "none" } as never;
				},
				processOrders: () => 5 as never,
			},
			{ onError },
		);
		const unary = served.client.open(getOrder).send(text("a")).end();
		expect((await unary.outcome).status).toBe(13);
		const stream = served.client.open(searchOrders).send(text("a")).end();
		expect(await stream.outcome).toMatchObject({ messages: [{}], status: 13 });
		expect(onError.mock.calls.map(([error]) => String(error))).toEqual([
			'TypeError: the response is no valid ecommerce.Order: price: "none" is not a number',
			'TypeError: the response is no valid ecommerce.Order: price: "none" is not a number',
		]);
		const none = served.client.open(processOrders).end();
		expect((await none.outcome).status).toBe(2);
		expect(String(onError.mock.lastCall?.[0])).toContain("AsyncIterable");
	});

	test.each(["text", 5, null, [{ id: "a" }], () => {}])(
		"%j is not taken for an empty response",
		async (response) => {
			const onError = vi.fn();
			await using served = await serving(
				{ getOrder: () => response as never },
				{ onError },
			);
			const call = served.client.open(getOrder).send(text("a")).end();
			expect((await call.outcome).status).toBe(13);
			expect(String(onError.mock.lastCall?.[0])).toContain(
				"is neither a message nor its fields",
			);
		},
	);

	test("a field that the message does not have is named, with the field that was meant", async () => {
		const onError = vi.fn();
		await using served = await serving(
			{ getOrder: () => ({ descripton: "x" }) as never },
			{ onError },
		);
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(13);
		expect(String(onError.mock.lastCall?.[0])).toBe(
			"TypeError: the response is no valid ecommerce.Order: descripton: is not a field of ecommerce.Order; did you mean description?",
		);
	});

	test("a stream that fails in this way gets to clean up", async () => {
		const cleanedUp = gate();
		await using served = await serving({
			async *searchOrders() {
				try {
					yield { price: "none" } as never;
					yield { id: "never" };
				} finally {
					cleanedUp.resolve();
				}
			},
		});
		served.client.open(searchOrders).send(text("a")).end();
		await cleanedUp.promise;
	});
});

describe("deadlines", () => {
	test("a handler that never answers is cancelled at the deadline, and the client gets DEADLINE_EXCEEDED", async () => {
		const reason = gate();
		await using served = await serving({
			getOrder: (_, { signal }) => {
				signal.addEventListener("abort", () => reason.resolve(signal.reason));
				return never;
			},
		});
		const start = performance.now();
		const call = served.client.open(getOrder, { "grpc-timeout": "50m" });
		expect(await call.send(text("a")).end().outcome).toMatchObject({
			status: 4,
			message: "deadline of 50 ms passed",
		});
		expect(performance.now() - start).toBeGreaterThan(45);
		expect(await reason.promise).toMatchObject({ code: Code.DeadlineExceeded });
		expect(served.server.snapshot().calls.inFlight).toBe(0);
	});

	test("a request that never ends has a deadline as well", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const call = served.client.open(getOrder, { "grpc-timeout": "20m" });
		expect((await call.send(text("a")).outcome).status).toBe(4);
	});

	test("timeoutMs returns the remaining time, and undefined without a deadline", async () => {
		const remaining: (number | undefined)[] = [];
		await using served = await serving({
			getOrder: (_, { timeoutMs }) => {
				remaining.push(timeoutMs());
				return {};
			},
		});
		for (const timeout of [{ "grpc-timeout": "7S" }, {}]) {
			const call = served.client.open(getOrder, timeout);
			await call.send(text("a")).end().outcome;
		}
		expect(remaining[0]).toBeGreaterThan(5000);
		expect(remaining[0]).toBeLessThanOrEqual(7000);
		expect(remaining[1]).toBeUndefined();
	});

	test("a stream that yields after its deadline is stopped, and sends no more", async () => {
		const late = gate();
		const cleanedUp = gate();
		await using served = await serving({
			async *searchOrders() {
				try {
					yield { id: "in time" };
					await late.promise;
					yield { id: "late" };
					expect.unreachable("its iterator has been returned");
				} finally {
					cleanedUp.resolve();
				}
			},
		});
		const call = served.client.open(searchOrders, { "grpc-timeout": "50m" });
		const outcome = await call.send(text("a")).end().outcome;
		expect(outcome).toMatchObject({ messages: [{}], status: 4 });
		late.resolve();
		await cleanedUp.promise;
	});

	test("a handler that ends after its deadline changes nothing: the call has ended once", async () => {
		const late = gate();
		const ended = vi.fn();
		await using served = await serving({
			getOrder: async () => {
				await late.promise;
				ended();
				return {};
			},
			// biome-ignore lint/correctness/useYield: it is too late for that
			async *searchOrders() {
				await late.promise;
				ended();
			},
		});
		for (const path of [getOrder, searchOrders]) {
			const call = served.client.open(path, { "grpc-timeout": "20m" });
			expect((await call.send(text("a")).end().outcome).status).toBe(4);
		}
		late.resolve();
		await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(2));
		await new Promise((resolve) => setImmediate(resolve));
		expect(served.server.snapshot().calls).toEqual({
			started: 2,
			succeeded: 0,
			failed: 2,
			inFlight: 0,
		});
	});

	test("a client that leaves at its deadline counts as DEADLINE_EXCEEDED, though the server's own timer has not fired", async () => {
		const clock = new FakeClock();
		const { inflations, deflations } = new GzipTurns();
		const listen = vi.fn();
		const call = new IncomingCall(
			{
				clock,
				deadlines: new Deadlines(new FakeClock()),
				unread: new UnreadBytes(0, () => {}),
				writeMaxBytes: 0,
				requestTerms: (encoding) => ({
					encoding,
					maxMessageBytes: 0,
					inflations,
				}),
				started: () => {},
				ended: () => {},
				report: () => {},
			},
			new ServedMethod(OrderManagement.method.getOrder, () => never, []),
			readArrival({ listen, waitingBytes: 0 } as never, [], {
				address: "unix:",
			}),
			50,
			{ compression: undefined, deflations },
		);
		await clock.advance(50);
		call.left({ code: 8, progress: "processed", cause: undefined });
		expect(call.signal.reason?.code).toBe(Code.DeadlineExceeded);
	});

	test("a client that has read everything, however slowly, receives the status", async () => {
		await using served = await serving({
			async *searchOrders() {
				yield { description: "x".repeat(1 << 20) };
				await never;
			},
		});
		const call = served.client.open(searchOrders, { "grpc-timeout": "300m" });
		call.stream.pause();
		call.send(text("a")).end();
		await call.headers;
		call.stream.resume();
		expect(await call.outcome).toMatchObject({ messages: [{}], status: 4 });
	});

	test("a call whose client does not read the response is reset at its deadline", async () => {
		await using served = await serving({
			getOrder: () => ({ description: "x".repeat(8 << 20) }),
			async *searchOrders() {
				for (;;) yield { description: "x".repeat(1 << 20) };
			},
		});
		const call = served.client.open(searchOrders, { "grpc-timeout": "100m" });
		call.stream.pause();
		call.send(text("a")).end();
		await vi.waitFor(() =>
			expect(served.server.snapshot().calls).toMatchObject({
				inFlight: 0,
				failed: 1,
			}),
		);
		call.stream.resume();
		expect((await call.outcome).rstCode).toBe(8);
	});
});

describe("a unary call", () => {
	test("sets no timer of its own for its deadline", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const call = async () => {
			const headers = { "grpc-timeout": "30S" };
			const call = served.client.open(getOrder, headers);
			return (await call.send(text("a")).end().outcome).status;
		};
		expect(await call()).toBe(0);
		const timers = vi.spyOn(globalThis, "setTimeout");
		try {
			for (let i = 0; i < 20; i++) expect(await call()).toBe(0);
			const deadlines = timers.mock.calls.filter(([, ms = 0]) => ms > 20_000);
			expect(deadlines).toEqual([]);
		} finally {
			timers.mockRestore();
		}
	});

	test("is itself the context of its handler, also behind an interceptor that passes the request on as it is", async () => {
		const contexts: HandlerContext[] = [];
		await using served = await serving(
			{
				getOrder: (_, context) => {
					contexts.push(context);
					return {};
				},
			},
			{ interceptors: [(next) => (request) => next(request)] },
		);
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
		expect(contexts).toEqual([expect.any(IncomingCall)]);
	});
});

describe("a client that leaves", () => {
	test("by a reset: the signal fires with CANCELED", async () => {
		const started = gate();
		const reason = gate();
		await using served = await serving({
			getOrder: (_, { signal }) => {
				signal.addEventListener("abort", () => reason.resolve(signal.reason));
				started.resolve();
				return never;
			},
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		await started.promise;
		call.cancel();
		expect(await reason.promise).toMatchObject({
			code: Code.Canceled,
			rawMessage: "the client cancelled the call",
		});
		expect(served.server.snapshot().calls).toMatchObject({
			inFlight: 0,
			failed: 1,
		});
	});

	test("by losing its connection: the signal fires with CANCELED", async () => {
		const started = gate();
		const reason = gate();
		await using served = await serving({
			async *processOrders(_, { signal }) {
				signal.addEventListener("abort", () => reason.resolve(signal.reason));
				started.resolve();
				yield await never;
			},
		});
		served.client.open(processOrders);
		await started.promise;
		served.client.socket.destroy();
		expect(await reason.promise).toMatchObject({
			code: Code.Canceled,
			rawMessage: expect.stringContaining("the client is gone"),
		});
	});

	test("while the handler waits for requests: its loop throws", async () => {
		const caught = gate();
		await using served = await serving({
			async updateOrders(orders) {
				try {
					for await (const _ of orders);
				} catch (error) {
					caught.resolve(error as never);
				}
				return {};
			},
		});
		const call = served.client.open(updateOrders).send(order({ id: "a" }));
		await vi.waitFor(() =>
			expect(served.server.snapshot().calls.inFlight).toBe(1),
		);
		call.cancel();
		expect(await caught.promise).toMatchObject({ code: Code.Canceled });
	});

	test("while flow control holds a stream back: the stream gets to clean up", async () => {
		const cleanedUp = gate();
		await using served = await serving({
			async *searchOrders() {
				try {
					for (;;) yield { description: "x".repeat(1 << 16) };
				} finally {
					cleanedUp.resolve();
				}
			},
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		call.stream.pause();
		await call.headers;
		call.cancel();
		await cleanedUp.promise;
	});

	test("a hand-written iterator gets its return call at once", async () => {
		const returned = gate();
		const started = gate();
		await using served = await serving({
			searchOrders: () => ({
				[Symbol.asyncIterator]: () => ({
					next: () => {
						started.resolve();
						return never;
					},
					return: async () => {
						returned.resolve();
						return { done: true, value: undefined };
					},
				}),
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		await started.promise;
		call.cancel();
		await returned.promise;
	});

	test("errors that follow from it do not reach onError, but a failure of the handler's own does", async () => {
		const onError = vi.fn();
		const thrown: unknown[] = [
			new DOMException("aborted", "AbortError"),
			new ConnectError("later", Code.Canceled),
			new Error("a bug"),
		];
		for (const error of thrown) {
			const started = gate();
			const ended = gate();
			await using served = await serving(
				{
					getOrder: async (_, { signal }) => {
						started.resolve();
						await new Promise((resolve) =>
							signal.addEventListener("abort", resolve),
						);
						queueMicrotask(() => queueMicrotask(ended.resolve));
						throw error;
					},
				},
				{ onError },
			);
			const call = served.client.open(getOrder).send(text("a")).end();
			await started.promise;
			call.cancel();
			await ended.promise;
			await new Promise((resolve) => setImmediate(resolve));
		}
		expect(onError.mock.calls.map(([error]) => error)).toEqual([thrown[2]]);
	});

	test("its call is not kept in memory, though the handler never ends", async () => {
		setFlagsFromString("--expose-gc");
		const collect = runInNewContext("gc") as () => void;
		let contexts: WeakRef<object>[] = [];
		await using served = await serving({
			getOrder: (_, context) => {
				contexts.push(new WeakRef(context));
				context.signal.addEventListener("abort", () => {});
				return new Promise(() => {});
			},
			async *processOrders(requests, context) {
				contexts.push(new WeakRef(context));
				for await (const _ of requests);
				yield await new Promise<never>(() => {});
			},
		});
		for (let i = 0; i < 5; i++) {
			const unary = served.client.open(getOrder).send(text("a")).end();
			const bidi = served.client.open(processOrders).send(text("a")).end();
			await vi.waitFor(() => expect(contexts).toHaveLength(2 * i + 2));
			unary.cancel();
			bidi.cancel();
			await Promise.all([unary.outcome, bidi.outcome]);
		}
		await vi.waitFor(() => {
			expect(served.server.snapshot().calls.inFlight).toBe(0);
			collect();
			contexts = contexts.filter((context) => context.deref() !== undefined);
			// The last of each kind may still be held by what has just run.
			expect(contexts.length).toBeLessThanOrEqual(2);
		});
	});
});

describe("the end of a call with OK", () => {
	test("fires the signal, as Connect does, without telling of a cancellation", async () => {
		const fired = gate();
		await using served = await serving({
			getOrder: (_, { signal }) => {
				signal.addEventListener("abort", () => fired.resolve());
				return {};
			},
		});
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
		await fired.promise;
	});

	test("ends the requests for code of the handler that still reads them", async () => {
		const ended = gate();
		await using served = await serving({
			async updateOrders(orders) {
				void (async () => {
					for await (const _ of orders);
					ended.resolve();
				})();
				return {};
			},
		});
		await served.client.open(updateOrders).outcome;
		await ended.promise;
	});
});

describe("invalid requests", () => {
	test("no request for a method that takes one fails the call with UNIMPLEMENTED", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		expect(await served.client.open(getOrder).end().outcome).toMatchObject({
			status: 12,
			message: expect.stringContaining("no request"),
		});
	});

	test("two requests for a method that takes one fail the call with UNIMPLEMENTED", async () => {
		await using served = await serving({
			getOrder: () => ({}),
			async *searchOrders() {},
		});
		for (const path of [getOrder, searchOrders]) {
			const call = served.client.open(path).send(text("a")).send(text("b"));
			expect(await call.outcome).toMatchObject({
				status: 12,
				message: expect.stringContaining("more than one request"),
			});
		}
	});

	test("bytes that are no valid message fail the call with INTERNAL", async () => {
		await using served = await serving({
			getOrder: () => ({}),
			async updateOrders(orders) {
				for await (const _ of orders);
				return {};
			},
		});
		for (const path of [getOrder, updateOrders]) {
			const call = served.client.open(path).send(Buffer.from([0xff, 0xff]));
			expect(await call.end().outcome).toMatchObject({
				status: 13,
				message: expect.stringContaining("is no valid"),
			});
		}
	});

	test("a stream that ends inside a message fails the call with INTERNAL", async () => {
		await using served = await serving({
			getOrder: () => ({}),
			updateOrders: () => never,
		});
		for (const path of [getOrder, updateOrders]) {
			const call = served.client.open(path);
			call.write(framed(text("abcdef")).subarray(0, 8)).end();
			expect(await call.outcome).toMatchObject({
				status: 13,
				message: expect.stringContaining("inside a message"),
			});
		}
	});

	test("a request larger than readMaxBytes fails the call with RESOURCE_EXHAUSTED before it has arrived", async () => {
		await using served = await serving(
			{ getOrder: ({ value }) => ({ id: String(value.length) }) },
			{ readMaxBytes: 1000 },
		);
		const small = served.client.open(getOrder).send(text("x".repeat(990)));
		expect((await small.end().outcome).status).toBe(0);
		const large = served.client.open(getOrder);
		large.write(framed(text("x".repeat(2000))).subarray(0, 5));
		expect((await large.outcome).status).toBe(8);
	});

	test("readMaxBytes is 4 MiB by default", async () => {
		await using served = await serving({
			getOrder: ({ value }) => ({ id: String(value.length) }),
		});
		const most = (4 << 20) - 5;
		const small = served.client.open(getOrder).send(text("x".repeat(most)));
		expect((await small.end().outcome).status).toBe(0);
		const large = served.client.open(getOrder).send(text("x".repeat(most + 1)));
		expect((await large.end().outcome).status).toBe(8);
	});
});

describe("flow control", () => {
	test("a handler that does not read makes the client wait", async () => {
		const open = gate();
		await using served = await serving({
			async updateOrders(orders) {
				await open.promise;
				let bytes = 0;
				for await (const { description } of orders) bytes += description.length;
				return { value: String(bytes) };
			},
		});
		const call = served.client.open(updateOrders);
		const message = framed(order({ description: "x".repeat(60_000) }));
		let sent = 0;
		// Until neither the window nor Node's buffer takes any more.
		while (call.stream.write(message) || call.stream.writableLength < 1 << 20) {
			sent++;
			await new Promise((resolve) => setImmediate(resolve));
		}
		const arrived = sent * message.length - call.stream.writableLength;
		expect(arrived).toBeLessThan(1 << 20);
		open.resolve();
		const { messages } = await call.end().outcome;
		expect(textOf(messages[0])).toBe(String((sent + 1) * 60_000));
	});

	test("a client that does not read makes the handler wait", async () => {
		let yielded = 0;
		await using served = await serving({
			async *searchOrders() {
				for (; yielded < 1000; yielded++) {
					yield { description: "x".repeat(10_000) };
				}
			},
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		call.stream.pause();
		await call.headers;
		let before: number;
		do {
			before = yielded;
			await new Promise((resolve) => setTimeout(resolve, 50));
		} while (yielded > before);
		expect(yielded).toBeGreaterThan(0);
		expect(yielded).toBeLessThan(100);
		call.stream.resume();
		expect((await call.outcome).messages).toHaveLength(1000);
	});

	test("messages that are yielded in one tick leave together", async () => {
		await using served = await serving({
			async *searchOrders() {
				for (let i = 0; i < 100; i++) yield { id: "a" };
			},
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		let chunks = 0;
		call.stream.on("data", () => chunks++);
		expect((await call.outcome).messages).toHaveLength(100);
		expect(chunks).toBeLessThan(10);
	});
});

describe("responses larger than writeMaxBytes", () => {
	test("fail with RESOURCE_EXHAUSTED", async () => {
		await using served = await serving(
			{
				getOrder: ({ value }) => ({ id: value }),
				async *searchOrders() {
					yield { id: "a" };
					yield { id: "x".repeat(200) };
				},
			},
			{ writeMaxBytes: 100 },
		);
		const small = served.client.open(getOrder).send(text("x".repeat(90)));
		expect((await small.end().outcome).status).toBe(0);
		const large = served.client.open(getOrder).send(text("x".repeat(100)));
		expect(await large.end().outcome).toMatchObject({
			status: 8,
			message:
				"the response message has 102 bytes, more than the limit of 100 (writeMaxBytes of this server)",
		});
		const stream = served.client.open(searchOrders).send(text("a")).end();
		expect(await stream.outcome).toMatchObject({ messages: [{}], status: 8 });
	});
});

test.each([
	[
		"an Error whose message throws",
		Object.defineProperty(new Error(), "message", {
			get: () => {
				throw new Error("trap");
			},
		}),
	],
	["a revoked proxy", revokedProxy()],
])(
	"%s fails the call that a handler throws it in, and nothing else",
	async (_, thrown) => {
		const heard: unknown[] = [];
		await using served = await serving(
			{
				getOrder: async () => {
					throw thrown;
				},
			},
			{ onError: (error) => heard.push(error) },
		);
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(Code.Unknown);
		expect(heard).toEqual([new Error("what was thrown cannot be read")]);
	},
);

function revokedProxy(): unknown {
	const { proxy, revoke } = Proxy.revocable({}, {});
	revoke();
	return proxy;
}
