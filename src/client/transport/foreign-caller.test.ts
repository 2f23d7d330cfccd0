import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
	Code,
	ConnectError,
	type ConnectRouter,
	createRouterTransport,
	type HandlerContext,
	type Interceptor,
} from "@connectrpc/connect";
import {
	connectNodeAdapter,
	createConnectTransport,
	createGrpcTransport,
	createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
	NewOrderManagementClient,
	type OrderManagementClient,
	type OrderManagementServer,
	RegisterOrderManagementServer,
} from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { onConnectRouter } from "../../server/connect-router.ts";
import { Server } from "../../server/server.ts";
import { Channel } from "../channel.ts";
import type { Target } from "../new-client.ts";
import type { CallOptions } from "../options/call-options.ts";
import type { ClientOptions } from "../options/client-options.ts";

/** Records of handlers: "name aborted" if the signal of a handler fired before it was done. */
const noted = new Set<string>();

async function happened(note: string): Promise<void> {
	await vi.waitFor(() => expect(noted).toContain(note), { timeout: 5_000 });
}

function note(context: HandlerContext): void {
	const id = context.requestHeader.get("x-id");
	const add = (): void => void noted.add(`${id} aborted`);
	if (context.signal.aborted) add();
	else context.signal.addEventListener("abort", add);
}

/** Waits until the call has ended. */
function forever({ signal }: HandlerContext): Promise<never> {
	return new Promise((_resolve, reject) => {
		const stop = (): void => reject(signal.reason);
		if (signal.aborted) stop();
		else signal.addEventListener("abort", stop);
	});
}

function metadata(context: HandlerContext): void {
	context.responseHeader.set(
		"x-seen",
		context.requestHeader.get("x-sent") ?? "",
	);
	context.responseHeader.set("x-header", "first");
	context.responseTrailer.set("x-trailer", "last");
}

function failure(): ConnectError {
	return new ConnectError("no such order", Code.NotFound, { "x-why": "lost" }, [
		{ desc: StringValueSchema, value: { value: "detail" } },
	]);
}

/** An implementation that does what the text in the request says. */
const orders: OrderManagementServer = {
	getOrder({ value }, context) {
		metadata(context);
		if (value === "fail") throw failure();
		if (value === "remaining") {
			return { description: String(context.timeoutMs()) };
		}
		if (value === "hang") {
			note(context);
			return forever(context);
		}
		return { id: value };
	},
	async *searchOrders({ value }, context) {
		metadata(context);
		if (value === "remaining") {
			yield { description: String(context.timeoutMs()) };
			return;
		}
		if (value === "hang" || value === "endless") note(context);
		yield { id: `${value}1` };
		if (value === "fail") throw failure();
		if (value === "hang") await forever(context);
		for (let n = 2; value === "endless" || n <= 3; n++) {
			if (value === "endless") await turn();
			context.signal.throwIfAborted();
			yield { id: `${value}${n}` };
		}
	},
	async updateOrders(requests, context) {
		metadata(context);
		note(context);
		const ids: string[] = [];
		for await (const { id } of requests) {
			if (id === "fail") throw failure();
			if (id === "enough") return { value: "enough" };
			ids.push(id);
		}
		return { value: ids.join() };
	},
	async *processOrders(requests, context) {
		metadata(context);
		note(context);
		for await (const { value } of requests) {
			if (value === "fail") throw failure();
			if (value === "enough") return;
			yield { id: value };
		}
	},
};

interface Opened extends AsyncDisposable {
	readonly target: Target;
}

/** The transports over which the implementation is called. */
interface Way {
	readonly name: string;
	open(): Promise<Opened>;
}

const routes = (router: ConnectRouter): void =>
	RegisterOrderManagementServer(onConnectRouter(router), orders);

/** Over homing's server. */
async function onServer(target: (port: number) => Target): Promise<Opened> {
	const server = new Server();
	RegisterOrderManagementServer(server, orders);
	const { port } = await server.listen("127.0.0.1:0");
	return opened(target(port), () => server.shutdown({ graceMs: 0 }));
}

/** Over connect-node's adapter and HTTP/2. */
async function onAdapter(target: (port: number) => Target): Promise<Opened> {
	const server = createServer(connectNodeAdapter({ routes }));
	const sessions = new Set<ServerHttp2Session>();
	server.on("session", (session) => sessions.add(session));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return opened(target(port), async () => {
		for (const session of sessions) session.destroy();
		server.close();
	});
}

function opened(target: Target, close: () => Promise<void>): Opened {
	return {
		target,
		async [Symbol.asyncDispose]() {
			if (target instanceof Channel) await target.close();
			await close();
		},
	};
}

const looking: Interceptor = (next) => (request) => next(request);

const channel = (port: number): Channel => new Channel(`127.0.0.1:${port}`);

const url = (port: number): { baseUrl: string; httpVersion: "2" } => ({
	baseUrl: `http://127.0.0.1:${port}`,
	httpVersion: "2",
});

const ways: readonly Way[] = [
	{
		name: "a homing channel to homing's server",
		open: () => onServer(channel),
	},
	{
		name: "a homing channel with an interceptor",
		open: () =>
			onServer(
				(port) => new Channel(`127.0.0.1:${port}`, { interceptors: [looking] }),
			),
	},
	{
		name: "a homing channel to a Connect router",
		open: () => onAdapter(channel),
	},
	{
		name: "createRouterTransport",
		open: async () => opened(createRouterTransport(routes), async () => {}),
	},
	{
		name: "createGrpcTransport to homing's server",
		open: () => onServer((port) => createGrpcTransport(url(port))),
	},
	{
		name: "createGrpcTransport",
		open: () => onAdapter((port) => createGrpcTransport(url(port))),
	},
	{
		name: "createGrpcWebTransport",
		open: () => onAdapter((port) => createGrpcWebTransport(url(port))),
	},
	{
		name: "createConnectTransport",
		open: () => onAdapter((port) => createConnectTransport(url(port))),
	},
];

/** Ids for the records of handlers. */
let ids = 0;

function named(): { id: string; headers: { "x-id": string } } {
	ids += 1;
	return { id: `call ${ids}`, headers: { "x-id": `call ${ids}` } };
}

async function failing(promise: Promise<unknown>): Promise<ConnectError> {
	const error: unknown = await promise.then(
		() => expect.fail("did not fail"),
		(reason) => reason,
	);
	expect(error).toBeInstanceOf(ConnectError);
	return error as ConnectError;
}

async function expectNotFound(promise: Promise<unknown>): Promise<void> {
	const error = await failing(promise);
	expect(error).toMatchObject({
		code: Code.NotFound,
		rawMessage: "no such order",
	});
	expect(error.metadata.get("x-why")).toBe("lost");
	expect(error.findDetails(StringValueSchema)).toMatchObject([
		{ value: "detail" },
	]);
}

async function idsOf(found: AsyncIterable<{ id: string }>): Promise<string[]> {
	const all: string[] = [];
	for await (const { id } of found) all.push(id);
	return all;
}

async function* eachOf<T>(...items: T[]): AsyncGenerator<T> {
	yield* items;
}

describe.each(ways)("a generated client over $name", ({ open }) => {
	let way: Opened;
	let client: OrderManagementClient;

	beforeAll(async () => {
		way = await open();
		client = NewOrderManagementClient(way.target);
	});

	afterAll(() => way[Symbol.asyncDispose]());

	describe("a unary call", () => {
		test("returns its response, headers and trailers", async () => {
			const onHeader = vi.fn<(header: Headers) => void>();
			const onTrailer = vi.fn<(trailer: Headers) => void>();
			const headers = { "x-sent": "hello" };
			const options = { headers, onHeader, onTrailer };
			expect(await client.getOrder({ value: "7" }, options)).toMatchObject({
				id: "7",
			});
			expect(onHeader.mock.calls[0]?.[0].get("x-seen")).toBe("hello");
			expect(onTrailer.mock.calls[0]?.[0].get("x-trailer")).toBe("last");
		});

		test("fails with the code, metadata and details from the server", async () => {
			await expectNotFound(client.getOrder({ value: "fail" }));
		});

		test("is cancelled by its signal, on the client and the server", async () => {
			const { id, headers } = named();
			const abort = new AbortController();
			const { signal } = abort;
			const answer = client.getOrder({ value: "hang" }, { headers, signal });
			setTimeout(() => abort.abort(), 50);
			expect((await failing(answer)).code).toBe(Code.Canceled);
			await happened(`${id} aborted`);
		});

		test("is not sent if its signal has already fired", async () => {
			const { id, headers } = named();
			const signal = AbortSignal.abort();
			const answer = client.getOrder({ value: "hang" }, { headers, signal });
			expect((await failing(answer)).code).toBe(Code.Canceled);
			expect(noted).not.toContain(`${id} aborted`);
		});

		test("with an AbortSignal.timeout fails with DEADLINE_EXCEEDED", async () => {
			const signal = AbortSignal.timeout(30);
			const answer = client.getOrder({ value: "hang" }, { signal });
			expect((await failing(answer)).code).toBe(Code.DeadlineExceeded);
		});

		test("ends at its deadline, on the client and the server", async () => {
			const { id, headers } = named();
			const options = { headers, timeoutMs: 50 };
			const answer = client.getOrder({ value: "hang" }, options);
			expect((await failing(answer)).code).toBe(Code.DeadlineExceeded);
			await happened(`${id} aborted`);
		});
	});

	describe("a deadline", () => {
		const remaining = async (
			options?: ClientOptions,
			call?: CallOptions,
		): Promise<number | undefined> => {
			const other = NewOrderManagementClient(way.target, options);
			const { description } = await other.getOrder(
				{ value: "remaining" },
				call,
			);
			return description === "undefined" ? undefined : Number(description);
		};

		const streamRemaining = async (
			options?: ClientOptions,
			call?: CallOptions,
		): Promise<number | undefined> => {
			const other = NewOrderManagementClient(way.target, options);
			const found = other.searchOrders({ value: "remaining" }, call);
			const description = (await found.recv())?.description;
			expect(await found.recv()).toBeUndefined();
			return description === "undefined" ? undefined : Number(description);
		};

		const about = (ms: number, actual: number | undefined): void => {
			expect(actual).toBeGreaterThan(ms - 2_000);
			expect(actual).toBeLessThanOrEqual(ms);
		};

		test("is 10 s by default, for unary calls only", async () => {
			about(10_000, await remaining());
			expect(await streamRemaining()).toBeUndefined();
		});

		test("can be set on the client, for unary calls only", async () => {
			about(40_000, await remaining({ timeout: "40s" }));
			expect(await streamRemaining({ timeout: "40s" })).toBeUndefined();
			expect(await remaining({ timeout: 0 })).toBeUndefined();
		});

		test("of a method overrides that of the client", async () => {
			const methods = {
				getOrder: { timeout: "60s" },
				searchOrders: { timeout: "80s" },
			} as const;
			about(60_000, await remaining({ timeout: "40s", methods }));
			about(80_000, await streamRemaining({ timeout: "40s", methods }));
		});

		test("of a call overrides all others", async () => {
			const methods = { getOrder: { timeout: "60s" } } as const;
			const call = { timeoutMs: 20_000 };
			about(20_000, await remaining({ methods }, call));
			about(20_000, await streamRemaining({ methods }, call));
			expect(await remaining({ methods }, { timeoutMs: 0 })).toBeUndefined();
		});

		test("ends a stream that has started", async () => {
			const { id, headers } = named();
			const found = client.searchOrders(
				{ value: "hang" },
				{ headers, timeoutMs: 300 },
			);
			expect(await found.recv()).toMatchObject({ id: "hang1" });
			expect((await failing(found.recv())).code).toBe(Code.DeadlineExceeded);
			await happened(`${id} aborted`);
		});
	});

	describe("a server-streaming call", () => {
		test("can be iterated", async () => {
			const found = client.searchOrders({ value: "a" });
			expect(await idsOf(found)).toEqual(["a1", "a2", "a3"]);
		});

		test("can be received message by message, and returns undefined after the end", async () => {
			const found = client.searchOrders({ value: "a" });
			for (const id of ["a1", "a2", "a3"]) {
				expect(await found.recv()).toMatchObject({ id });
			}
			expect(await found.recv()).toBeUndefined();
			expect(await found.recv()).toBeUndefined();
		});

		test("can be asked for several messages at the same time", async () => {
			const found = client.searchOrders({ value: "a" });
			const messages = await Promise.all([1, 2, 3, 4].map(() => found.recv()));
			expect(messages.map((message) => message?.id)).toEqual([
				"a1",
				"a2",
				"a3",
				undefined,
			]);
		});

		test("provides headers and trailers, both as promises and as callbacks", async () => {
			const onHeader = vi.fn<(header: Headers) => void>();
			const onTrailer = vi.fn<(trailer: Headers) => void>();
			const headers = { "x-sent": "hello" };
			const options = { headers, onHeader, onTrailer };
			const found = client.searchOrders({ value: "a" }, options);
			expect((await found.header).get("x-seen")).toBe("hello");
			expect(onHeader).toHaveBeenCalledOnce();
			expect(onHeader.mock.calls[0]?.[0].get("x-header")).toBe("first");
			expect(onTrailer).not.toHaveBeenCalled();
			await idsOf(found);
			expect((await found.trailer).get("x-trailer")).toBe("last");
			expect(onTrailer).toHaveBeenCalledOnce();
			expect(onTrailer.mock.calls[0]?.[0].get("x-trailer")).toBe("last");
		});

		test("fails after the messages before the error, and on every later receive", async () => {
			const found = client.searchOrders({ value: "fail" });
			expect(await found.recv()).toMatchObject({ id: "fail1" });
			await expectNotFound(found.recv());
			await expectNotFound(found.recv());
			await expectNotFound(found.trailer);
			expect((await found.header).get("x-header")).toBe("first");
		});

		test("is cancelled when the iteration is left early", async () => {
			const { id, headers } = named();
			for await (const order of client.searchOrders(
				{ value: "endless" },
				{ headers },
			)) {
				if (order.id === "endless5") break;
			}
			await happened(`${id} aborted`);
		});

		test("is cancelled by cancel, which drops unread messages", async () => {
			const { id, headers } = named();
			const found = client.searchOrders({ value: "endless" }, { headers });
			await found.recv();
			found.cancel();
			expect((await failing(found.recv())).code).toBe(Code.Canceled);
			expect((await failing(found.trailer)).code).toBe(Code.Canceled);
			await happened(`${id} aborted`);
		});

		test("is cancelled while a message is awaited", async () => {
			const found = client.searchOrders({ value: "hang" });
			await found.recv();
			const next = found.recv();
			found.cancel(new Error("enough"));
			const error = await failing(next);
			expect(error.code).toBe(Code.Canceled);
			expect(error.message).toContain("enough");
		});

		test("is cancelled by its signal, and when it is disposed", async () => {
			const abort = new AbortController();
			const first = named();
			const { signal } = abort;
			const found = client.searchOrders(
				{ value: "hang" },
				{ headers: first.headers, signal },
			);
			await found.recv();
			abort.abort();
			expect((await failing(found.recv())).code).toBe(Code.Canceled);
			await happened(`${first.id} aborted`);

			const second = named();
			{
				await using other = client.searchOrders(
					{ value: "hang" },
					{ headers: second.headers },
				);
				await other.recv();
			}
			await happened(`${second.id} aborted`);
		});

		test("leaves no promise pending if it is cancelled before it is answered", async () => {
			const found = client.searchOrders({ value: "hang" });
			found.cancel();
			const settled = await Promise.all(
				[found.header, found.recv(), found.trailer].map(failing),
			);
			expect(settled.map(({ code }) => code)).toEqual(
				Array(3).fill(Code.Canceled),
			);
		});

		test("ignores a cancel after its end", async () => {
			const found = client.searchOrders({ value: "a" });
			await idsOf(found);
			found.cancel();
			expect(await found.recv()).toBeUndefined();
			expect((await found.trailer).get("x-trailer")).toBe("last");
		});
	});

	describe("a client-streaming call", () => {
		test("accepts any iterable", async () => {
			const list = [{ id: "1" }, { id: "2" }];
			expect((await client.updateOrders(list)).value).toBe("1,2");
			expect((await client.updateOrders(eachOf(...list))).value).toBe("1,2");
			expect((await client.updateOrders([])).value).toBe("");
		});

		test("can be sent with a handle", async () => {
			const call = client.updateOrders.open({ headers: { "x-sent": "hi" } });
			await call.send({ id: "1" });
			await call.send({ id: "2" });
			expect((await call.closeAndRecv()).value).toBe("1,2");
			expect((await call.header).get("x-seen")).toBe("hi");
			expect((await call.trailer).get("x-trailer")).toBe("last");
		});

		test("fails with the error from the server, for receivers and senders", async () => {
			await expectNotFound(
				client.updateOrders([{ id: "1" }, { id: "fail" }, { id: "2" }]),
			);
			const call = client.updateOrders.open();
			await call.send({ id: "fail" });
			await expectNotFound(call.closeAndRecv());
			await expectNotFound(call.send({ id: "2" }));
			await expectNotFound(call.trailer);
		});

		test("refuses messages after the request has ended", async () => {
			const call = client.updateOrders.open();
			const answer = call.closeAndRecv();
			expect((await failing(call.send({ id: "late" }))).code).toBe(
				Code.FailedPrecondition,
			);
			expect((await answer).value).toBe("");
		});

		test("refuses messages after the server has answered", async () => {
			const call = client.updateOrders.open();
			await call.send({ id: "enough" });
			expect((await call.closeAndRecv()).value).toBe("enough");
			expect((await failing(call.send({ id: "late" }))).code).toBe(
				Code.FailedPrecondition,
			);
		});

		test("ends when the server has answered, and closes the iterator of requests", async () => {
			let returned = false;
			async function* endless() {
				try {
					yield { id: "enough" };
					for (;;) {
						await turn();
						yield { id: "more" };
					}
				} finally {
					returned = true;
				}
			}
			expect((await client.updateOrders(endless())).value).toBe("enough");
			await vi.waitFor(() => expect(returned).toBe(true));
		});

		test("is cancelled on both sides if the iterator of requests throws", async () => {
			const { id, headers } = named();
			async function* broken() {
				yield { id: "1" };
				throw new Error("no more orders");
			}
			const error = await failing(client.updateOrders(broken(), { headers }));
			expect(error.code).toBe(Code.Canceled);
			expect(error.message).toContain("no more orders");
			await happened(`${id} aborted`);
		});

		test("is cancelled by cancel, so that send and receive fail", async () => {
			const { id, headers } = named();
			const call = client.updateOrders.open({ headers });
			await call.send({ id: "1" });
			call.cancel();
			expect((await failing(call.send({ id: "2" }))).code).toBe(Code.Canceled);
			expect((await failing(call.closeAndRecv())).code).toBe(Code.Canceled);
			await happened(`${id} aborted`);
		});

		test("ends at its deadline while it waits for requests", async () => {
			const call = client.updateOrders.open({ timeoutMs: 100 });
			await call.send({ id: "1" });
			expect((await failing(call.header)).code).toBe(Code.DeadlineExceeded);
			expect((await failing(call.closeAndRecv())).code).toBe(
				Code.DeadlineExceeded,
			);
			expect((await failing(call.send({ id: "2" }))).code).toBe(
				Code.DeadlineExceeded,
			);
		});
	});

	describe("a bidirectional call", () => {
		test("accepts any iterable and can be iterated", async () => {
			const list = [{ value: "1" }, { value: "2" }];
			expect(await idsOf(client.processOrders(list))).toEqual(["1", "2"]);
			expect(await idsOf(client.processOrders(eachOf(...list)))).toEqual([
				"1",
				"2",
			]);
		});

		test("sends and receives in turn on a handle", async () => {
			const call = client.processOrders.open();
			for (const value of ["1", "2", "3"]) {
				await call.send({ value });
				expect(await call.recv()).toMatchObject({ id: value });
			}
			await call.closeSend();
			await call.closeSend();
			expect(await call.recv()).toBeUndefined();
			expect((await call.trailer).get("x-trailer")).toBe("last");
			expect((await failing(call.send({ value: "late" }))).code).toBe(
				Code.FailedPrecondition,
			);
		});

		test("fails with the error from the server", async () => {
			const call = client.processOrders.open();
			await call.send({ value: "1" });
			await call.recv();
			await call.send({ value: "fail" });
			await expectNotFound(call.recv());
			await expectNotFound(call.send({ value: "2" }));
		});

		test("ends when the server ends it", async () => {
			const call = client.processOrders.open();
			await call.send({ value: "enough" });
			expect(await call.recv()).toBeUndefined();
			expect((await failing(call.send({ value: "late" }))).code).toBe(
				Code.FailedPrecondition,
			);
		});

		test("is cancelled when it is left early, and closes the iterator of requests", async () => {
			const { id, headers } = named();
			let returned = false;
			async function* endless() {
				try {
					for (let n = 1; ; n++) {
						await turn();
						yield { value: String(n) };
					}
				} finally {
					returned = true;
				}
			}
			const got: string[] = [];
			for await (const shipment of client.processOrders(endless(), {
				headers,
			})) {
				got.push(shipment.id);
				if (got.length === 3) break;
			}
			expect(got).toEqual(["1", "2", "3"]);
			await happened(`${id} aborted`);
			await vi.waitFor(() => expect(returned).toBe(true));
		});

		test("is cancelled if the iterator of requests throws", async () => {
			async function* broken() {
				yield { value: "1" };
				throw new Error("no more orders");
			}
			const error = await failing(idsOf(client.processOrders(broken())));
			expect(error.code).toBe(Code.Canceled);
			expect(error.message).toContain("no more orders");
		});
	});

	describe("a call made in a handler", () => {
		/** Runs `call` in a handler of a homing server. The handler's own call has a deadline, or is cancelled by the returned function. */
		async function inHandler(
			call: (context: HandlerContext) => Promise<unknown>,
		): Promise<unknown> {
			await using server = new Server();
			let outcome: Promise<unknown> | undefined;
			RegisterOrderManagementServer(server, {
				...orders,
				async getOrder(_request, context) {
					outcome = call(context);
					outcome.catch(() => {});
					await outcome;
					return {};
				},
			});
			const { port } = await server.listen("127.0.0.1:0");
			await using outer = NewOrderManagementClient(`127.0.0.1:${port}`);
			await outer.getOrder({ value: "" }, { timeoutMs: 500 }).catch(() => {});
			return outcome;
		}

		const left = async (parent?: HandlerContext | false): Promise<number> => {
			const options = parent === undefined ? {} : { parent };
			const request = { value: "remaining" };
			const { description } = await client.getOrder(request, options);
			return Number(description);
		};

		test("inherits the deadline of the handler, automatically or from the context", async () => {
			expect(await inHandler(() => left())).toBeLessThanOrEqual(500);
			expect(await inHandler((context) => left(context))).toBeLessThanOrEqual(
				500,
			);
		});

		test("does not inherit the deadline with parent: false", async () => {
			expect(await inHandler(() => left(false))).toBeGreaterThan(5_000);
		});

		test("is cancelled with the handler", async () => {
			const { id, headers } = named();
			const outcome = inHandler(() =>
				client.getOrder({ value: "hang" }, { headers, timeoutMs: 0 }),
			);
			// The deadline passes on both sides. The server may first notice that the client has cancelled.
			expect([Code.Canceled, Code.DeadlineExceeded]).toContain(
				(await failing(outcome)).code,
			);
			await happened(`${id} aborted`);
		});
	});
});
