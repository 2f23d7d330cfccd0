/** What leaves a handler of an error that it got from a call of its own. */

import {
	Code,
	ConnectError,
	createClient,
	type HandlerContext,
} from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { serveStreams } from "../../../testdata/harness/http2-server.ts";
import {
	getOrder,
	searchOrders,
	serving,
	text,
} from "../../../testdata/harness/serving.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import {
	NewOrderManagementClient,
	type OrderManagementClient,
} from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { Channel } from "../../client/channel.ts";
import { closeClient } from "../../client/client-object.ts";
import type { ClientOptions } from "../../client/options/client-options.ts";

/** Nobody listens there. */
const DEAD = "127.0.0.1:1";

const after: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

function inner(
	address: string,
	options?: ClientOptions,
): OrderManagementClient {
	const client = NewOrderManagementClient(address, options);
	after.push(() => closeClient(client));
	return client;
}

interface Heard {
	readonly status: number | undefined;
	readonly message: string | undefined;
	/** Headers and trailers. */
	readonly metadata: string;
	/** By onError. */
	readonly whole: unknown[];
}

/** What a client, and onError, hear of an outer server whose handlers do this. */
async function heardOf(
	handle: (context: HandlerContext) => Promise<unknown>,
	{ path = getOrder, headers = {} } = {},
): Promise<Heard> {
	const whole: unknown[] = [];
	await using outer = await serving(
		{
			getOrder: async (_, context) => {
				await handle(context);
				return {};
			},
			async *searchOrders(_, context) {
				yield { id: "first" };
				await handle(context);
			},
		},
		{ onError: (error) => whole.push(error) },
	);
	const call = outer.client.open(path, headers).send(text("a")).end();
	const { status, message, ...rest } = await call.outcome;
	const metadata = JSON.stringify([rest.headers, rest.trailers]);
	return { status, message, metadata, whole };
}

describe("an error that a client of homing's has made", () => {
	test.each([getOrder, searchOrders])(
		"keeps its code, loses its addresses, and is whole to onError: %s",
		async (path) => {
			const orders = inner(DEAD);
			const { status, message, whole } = await heardOf(
				() => orders.getOrder({ value: "a" }),
				{ path },
			);
			expect([status, message]).toEqual([
				Code.Unavailable,
				"a call to another service failed: unavailable",
			]);
			expect(whole).toEqual([expect.any(ConnectError)]);
			expect((whole[0] as ConnectError).message).toContain(DEAD);
		},
	);

	test("of a stream, or of a client over a Channel with interceptors, too", async () => {
		const channel = new Channel(DEAD, {
			interceptors: [(next) => (request) => next(request)],
		});
		after.push(() => channel.close());
		const calls = [
			async () => {
				for await (const _ of inner(DEAD).searchOrders({})) break;
			},
			() => createClient(OrderManagement, channel).getOrder({}),
			() => inner(DEAD).updateOrders([]),
		];
		for (const call of calls) {
			const { status, message, whole } = await heardOf(call);
			expect([status, message]).toEqual([
				Code.Unavailable,
				"a call to another service failed: unavailable",
			]);
			expect(whole).toHaveLength(1);
		}
	});

	test("of its own deadline says so, and not where it waited", async () => {
		// One that keeps no deadline, and so is not the first to say that it has passed.
		await using silent = await serveStreams(() => {});
		const orders = inner(silent.address);
		const { status, message, whole } = await heardOf(() =>
			orders.getOrder({ value: "a" }, { timeoutMs: 20 }),
		);
		expect([status, message]).toEqual([
			Code.DeadlineExceeded,
			"a call to another service failed: the deadline of 20 ms passed",
		]);
		expect((whole[0] as ConnectError).message).toContain(silent.address);
	});

	test("of the deadline that it has from the outer call is no error of the handler's", async () => {
		await using silent = await serving({
			getOrder: () => new Promise(() => {}),
		});
		const orders = inner(silent.address);
		const { status, message, whole } = await heardOf(
			() => orders.getOrder({ value: "a" }),
			{ headers: { "grpc-timeout": "30m" } },
		);
		expect(status).toBe(Code.DeadlineExceeded);
		expect(message).toMatch(/^(the inherited )?deadline of .* passed$/);
		expect(whole).toEqual([]);
	});

	test("that another server was not reached by a call whose client has left is told to onError", async () => {
		const told = Promise.withResolvers<unknown>();
		const orders = inner(DEAD);
		await using outer = await serving(
			{
				async *searchOrders(_, { signal }) {
					yield {};
					await new Promise((resolve) =>
						signal.addEventListener("abort", resolve),
					);
					await orders.getOrder({ value: "a" }, { parent: false });
				},
			},
			{ onError: told.resolve },
		);
		const call = outer.client.open(searchOrders).send(text("a")).end();
		await call.received(1);
		call.cancel();
		expect(await told.promise).toMatchObject({ code: Code.Unavailable });
	});

	test("without an onError is written to the console", async () => {
		const printed = vi.spyOn(console, "error").mockImplementation(() => {});
		const orders = inner(DEAD);
		await using outer = await serving({
			getOrder: () => orders.getOrder({ value: "a" }),
		});
		await outer.client.open(getOrder).send(text("a")).end().outcome;
		expect(printed.mock.calls).toEqual([
			[
				"homing: ecommerce.OrderManagement/getOrder failed:",
				expect.objectContaining({ message: expect.stringContaining(DEAD) }),
			],
		]);
		printed.mockRestore();
	});
});

describe("what else a handler throws passes as it is:", () => {
	test("the words of another server, without its metadata", async () => {
		await using other = await serving({
			getOrder: () => {
				throw new ConnectError("no such order at 10.0.0.1", Code.NotFound, {
					"x-inner": "secret",
				});
			},
		});
		const orders = inner(other.address);
		const { status, message, metadata, whole } = await heardOf(() =>
			orders.getOrder({ value: "a" }),
		);
		expect([status, message]).toEqual([
			Code.NotFound,
			"no such order at 10.0.0.1",
		]);
		expect(metadata).not.toContain("x-inner");
		expect(whole).toEqual([]);
	});

	test("a ConnectError that the user makes of one", async () => {
		const orders = inner(DEAD);
		const { status, message, whole } = await heardOf(() =>
			orders.getOrder({ value: "a" }).catch((error: ConnectError) => {
				throw new ConnectError(`orders: ${error.rawMessage}`, Code.Aborted);
			}),
		);
		expect(status).toBe(Code.Aborted);
		expect(message).toContain(DEAD);
		expect(whole).toEqual([]);
	});

	test("what a fallback of a circuit breaker has thrown, but not the refusal", async () => {
		const fallbacks = [
			(_: unknown, error: ConnectError) => {
				throw error;
			},
			() => {
				throw new ConnectError("come back later", Code.Unavailable);
			},
		];
		const messages: unknown[] = [];
		await using busy = await serving({
			getOrder: () => {
				throw new ConnectError("busy", Code.Unavailable);
			},
		});
		for (const fallback of fallbacks) {
			const orders = inner(busy.address, {
				circuitBreaker: { minimumCalls: 1, fallback },
			});
			await orders.getOrder({ value: "a" }).catch(() => {});
			messages.push(
				(await heardOf(() => orders.getOrder({ value: "a" }))).message,
			);
		}
		expect(messages).toEqual([
			"a call to another service failed: unavailable",
			"come back later",
		]);
	});
});
