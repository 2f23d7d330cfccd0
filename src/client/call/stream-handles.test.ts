import { once } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import { Server } from "homing/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveStreams } from "../../../testdata/harness/http2-server.ts";
import type { Order } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import {
	NewOrderManagementClient,
	type OrderManagementClient,
	type OrderManagementServer,
	RegisterOrderManagementServer,
} from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";

const KIBI = 1024;
const MEBI = KIBI * KIBI;

async function serving(
	implementation: Partial<OrderManagementServer>,
): Promise<AsyncDisposable & { orders: OrderManagementClient }> {
	const server = new Server();
	RegisterOrderManagementServer(
		server,
		implementation as OrderManagementServer,
	);
	const { address } = await server.listen("127.0.0.1:0");
	const orders = NewOrderManagementClient(address);
	return {
		orders,
		async [Symbol.asyncDispose]() {
			await orders[Symbol.asyncDispose]();
			await server.shutdown({ graceMs: 0 });
		},
	};
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
	const error = await call.then(
		() => undefined,
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(ConnectError);
	return error as ConnectError;
}

async function idsOf(stream: AsyncIterable<{ id: string }>): Promise<string[]> {
	const ids: string[] = [];
	for await (const { id } of stream) ids.push(id);
	return ids;
}

/** Waits until `read` has returned the same value for a while, which shows that nobody changes it any more. */
async function settled(read: () => number): Promise<number> {
	let [last, same] = [-1, 0];
	while (same < 10) {
		await new Promise((resolve) => setTimeout(resolve, 10));
		same = read() === last ? same + 1 : 0;
		last = read();
	}
	return last;
}

describe("streams", () => {
	let served: Awaited<ReturnType<typeof serving>>;
	let left: PromiseWithResolvers<unknown>;
	beforeAll(async () => {
		served = await serving({
			async *searchOrders({ value }, context) {
				context.responseHeader.set("x-head", "h");
				context.responseTrailer.set("x-trail", "t");
				if (value === "fail-first") {
					throw new ConnectError("at once", Code.NotFound);
				}
				yield { id: "1" };
				if (value === "fail") {
					throw new ConnectError("after one", Code.Aborted);
				}
				yield { id: "2" };
				if (value === "hang") {
					await once(context.signal, "abort");
					left.resolve(context.signal.reason);
				}
			},
			async updateOrders(updates, context) {
				context.responseHeader.set("x-head", "h");
				const ids: string[] = [];
				for await (const { id } of updates) {
					if (id === "stop") return { value: "early" };
					ids.push(id);
				}
				return { value: ids.join() };
			},
			async *processOrders(ids, context) {
				context.signal.addEventListener("abort", () =>
					left.resolve(context.signal.reason),
				);
				for await (const { value } of ids) yield { id: value };
			},
		});
	});
	afterAll(() => served[Symbol.asyncDispose]());
	const fresh = (): OrderManagementClient => {
		left = Promise.withResolvers();
		return served.orders;
	};

	test("from the server: by iteration and by recv", async () => {
		expect(await idsOf(fresh().searchOrders({}))).toEqual(["1", "2"]);
		const call = fresh().searchOrders({});
		expect((await call.recv())?.id).toBe("1");
		expect((await call.recv())?.id).toBe("2");
		expect(await call.recv()).toBeUndefined();
		expect(await call.recv()).toBeUndefined();
	});

	test("from the server: several recv at once get the messages in order", async () => {
		const call = fresh().searchOrders({});
		const all = await Promise.all([call.recv(), call.recv(), call.recv()]);
		expect(all.map((order) => order?.id)).toEqual(["1", "2", undefined]);
	});

	test("provide header and trailer, whether they are asked for before or after they arrive", async () => {
		const call = fresh().searchOrders({});
		expect((await call.header).get("x-head")).toBe("h");
		const trailer = call.trailer;
		await idsOf(call);
		expect((await trailer).get("x-trail")).toBe("t");
		expect((await call.header).get("x-head")).toBe("h");
		expect((await call.trailer).get("x-trail")).toBe("t");
	});

	test("report header and trailer to onHeader and onTrailer", async () => {
		const heard: (string | null)[] = [];
		await idsOf(
			fresh().searchOrders(
				{},
				{
					onHeader: (header) => heard.push(header.get("x-head")),
					onTrailer: (trailer) => heard.push(trailer.get("x-trail")),
				},
			),
		);
		expect(heard).toEqual(["h", "t"]);
	});

	test("deliver the messages before an error, and then the error", async () => {
		const call = fresh().searchOrders({ value: "fail" });
		// Everything has arrived and waits.
		await failure(call.trailer);
		expect((await call.recv())?.id).toBe("1");
		expect((await failure(call.recv())).code).toBe(Code.Aborted);
		expect((await failure(call.recv())).code).toBe(Code.Aborted);
	});

	test("that fail while nobody reads cause no unhandled rejection", async () => {
		const unhandled: unknown[] = [];
		const listener = (error: unknown): void => {
			unhandled.push(error);
		};
		process.on("unhandledRejection", listener);
		const call = fresh().searchOrders({ value: "fail-first" });
		void call.header;
		void call.trailer;
		await failure(call.recv());
		await new Promise(setImmediate);
		process.off("unhandledRejection", listener);
		expect(unhandled).toEqual([]);
	});

	test.each(["break", "cancel", "dispose"])(
		"that the caller leaves, by %s, tell the server",
		async (how) => {
			const orders = fresh();
			if (how === "break") {
				for await (const { id } of orders.searchOrders({ value: "hang" })) {
					if (id === "2") break;
				}
			} else {
				const call = orders.searchOrders({ value: "hang" });
				await call.recv();
				await call.recv();
				if (how === "cancel") call.cancel(new Error("enough"));
				else await call[Symbol.asyncDispose]();
				const error = await failure(call.recv());
				expect(error.code).toBe(Code.Canceled);
				if (how === "cancel") expect(error.rawMessage).toContain("enough");
			}
			const reason = ConnectError.from(await left.promise);
			expect(reason.code).toBe(Code.Canceled);
		},
	);

	test("from the client: by iteration, sync or async, and by a handle", async () => {
		const orders = fresh();
		const updates = [{ id: "a" }, { id: "b" }];
		expect((await orders.updateOrders(updates)).value).toBe("a,b");
		async function* later() {
			for (const update of updates) {
				await new Promise(setImmediate);
				yield update;
			}
		}
		expect((await orders.updateOrders(later())).value).toBe("a,b");
		const call = orders.updateOrders.open();
		for (const update of updates) await call.send(update);
		expect((await call.closeAndRecv()).value).toBe("a,b");
		expect((await call.header).get("x-head")).toBe("h");
	});

	test("from the client: an iteration that throws cancels the call, with its error as the cause", async () => {
		const cause = new Error("the disk is gone");
		async function* broken() {
			yield { id: "a" };
			throw cause;
		}
		const error = await failure(fresh().updateOrders(broken()));
		expect(error.code).toBe(Code.Canceled);
		expect(error.cause).toBe(cause);
		expect(error.rawMessage).toContain("the disk is gone");
	});

	test("from the client: an early response ends the iteration", async () => {
		let returned = false;
		async function* endless() {
			try {
				yield { id: "stop" };
				while (true) {
					await new Promise(setImmediate);
					yield { id: "more" };
				}
			} finally {
				returned = true;
			}
		}
		expect((await fresh().updateOrders(endless())).value).toBe("early");
		await expect.poll(() => returned).toBe(true);
	});

	test("in both directions: in turn, with a handle", async () => {
		const call = fresh().processOrders.open();
		for (const value of ["x", "y"]) {
			await call.send({ value });
			expect((await call.recv())?.id).toBe(value);
		}
		await call.closeSend();
		await call.closeSend();
		expect(await call.recv()).toBeUndefined();
	});

	test("in both directions: by iteration", async () => {
		const ids = ["x", "y", "z"].map((value) => ({ value }));
		expect(await idsOf(fresh().processOrders(ids))).toEqual(["x", "y", "z"]);
	});

	test("refuse to send after closeSend, and say what to do", async () => {
		const call = fresh().processOrders.open();
		await call.closeSend();
		const error = await failure(call.send({ value: "x" }));
		expect(error.code).toBe(Code.FailedPrecondition);
		expect(error.rawMessage).toContain("send before closeSend");
		expect(await call.recv()).toBeUndefined();
		const over = await failure(call.send({ value: "x" }));
		expect(over.rawMessage).toContain("the server has ended the call");
	});

	test("reject a message that cannot be encoded, name its type, and go on", async () => {
		const call = fresh().updateOrders.open();
		const bad = { price: "a lot" } as unknown as Order;
		const error = await failure(call.send(bad));
		expect(error.code).toBe(Code.Internal);
		expect(error.rawMessage).toContain("ecommerce.Order");
		await call.send({ id: "good" });
		expect((await call.closeAndRecv()).value).toBe("good");
	});
});

describe("a stream with one response", () => {
	const frame = Buffer.from([0, 0, 0, 0, 0]);
	test.each([
		["none", []],
		["two", [frame, frame]],
	])("that gets %s fails with UNIMPLEMENTED", async (_what, frames) => {
		await using server = await serveStreams((stream) => {
			stream.respond(
				{ ":status": 200, "content-type": "application/grpc" },
				{ waitForTrailers: true },
			);
			stream.on("wantTrailers", () =>
				stream.sendTrailers({ "grpc-status": 0 }),
			);
			stream.end(Buffer.concat(frames));
		});
		await using orders = NewOrderManagementClient(server.address);
		const error = await failure(orders.updateOrders([]));
		expect(error.code).toBe(Code.Unimplemented);
		const unary = await failure(orders.getOrder({}));
		expect(unary.code).toBe(Code.Unimplemented);
	});
});

describe("flow control", () => {
	const big = "x".repeat(64 * KIBI);

	test("a slow reader stops a fast server, and gets everything in the end", async () => {
		let sent = 0;
		await using served = await serving({
			async *searchOrders() {
				for (; sent < 200; sent++) yield { id: big };
			},
		});
		const call = served.orders.searchOrders({});
		await call.recv();
		const before = await settled(() => sent);
		// One window, the buffer of the server, and the buffer of the client.
		expect(before * big.length).toBeLessThan(3 * MEBI);
		let received = 1;
		for await (const { id } of call) {
			expect(id.length).toBe(big.length);
			received++;
		}
		expect(received).toBe(200);
	});

	test("endless small messages stop a fast server, too", async () => {
		let sent = 0;
		await using served = await serving({
			async *searchOrders() {
				for (; sent < 2_000_000; sent++) yield {};
			},
		});
		const call = served.orders.searchOrders({});
		await call.recv();
		expect(await settled(() => sent)).toBeLessThan(500_000);
		call.cancel();
	});

	test("a slow server stops a fast sender: send waits until there is room", async () => {
		const gate = Promise.withResolvers<void>();
		let received = 0;
		await using served = await serving({
			async updateOrders(updates) {
				await gate.promise;
				for await (const _ of updates) received++;
				return {};
			},
		});
		const call = served.orders.updateOrders.open();
		let sent = 0;
		const sending = (async () => {
			for (; sent < 200; sent++) await call.send({ id: big });
		})();
		const before = await settled(() => sent);
		expect(before * big.length).toBeLessThan(3 * MEBI);
		expect(before).toBeLessThan(200);
		gate.resolve();
		await sending;
		await call.closeAndRecv();
		expect(received).toBe(200);
	});

	test("a send that waits rejects at the end of its call", async () => {
		await using served = await serving({
			updateOrders: () => new Promise(() => {}),
		});
		const call = served.orders.updateOrders.open();
		let waiting: Promise<void> = Promise.resolve();
		for (let i = 0; i < 200; i++) {
			waiting = call.send({ id: big });
			waiting.catch(() => {});
		}
		call.cancel();
		expect((await failure(waiting)).code).toBe(Code.Canceled);
	});
});
