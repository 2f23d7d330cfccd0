import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	NewOrderManagementClient,
	type OrderManagementClient,
} from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";

const never = (): Promise<never> => new Promise(() => {});

/** A client over a transport whose behaviour a test defines. */
function clientOf(transport: Partial<Transport>): OrderManagementClient {
	return NewOrderManagementClient({
		unary: never,
		stream: never,
		...transport,
	});
}

describe("a transport", () => {
	test("that hangs between messages cannot hold up a call beyond its deadline", async () => {
		const client = clientOf({
			stream: async (method) => ({
				stream: true,
				service: method.parent,
				method,
				header: new Headers(),
				trailer: new Headers(),
				message: { [Symbol.asyncIterator]: () => ({ next: never }) },
			}),
		});
		const found = client.searchOrders({ value: "" }, { timeoutMs: 30 });
		await expect(found.recv()).rejects.toMatchObject({
			code: Code.DeadlineExceeded,
		});
	});

	test.each([undefined, null, 42, {}])(
		"that returns no response (%s) fails the call with an error that says so",
		async (returned) => {
			const client = clientOf({
				unary: async () => returned as never,
				stream: async () => returned as never,
			});
			for (const call of [
				client.getOrder({ value: "" }),
				client.updateOrders([]),
				client.searchOrders({ value: "" }).recv(),
			]) {
				const error = await call.catch((reason: unknown) => reason);
				expect(error).toBeInstanceOf(ConnectError);
				expect(String(error)).toMatch(
					/the transport has returned .*, which is no response/,
				);
			}
		},
	);

	test("gets a timeout that its timers can represent", async () => {
		const timeouts: (number | undefined)[] = [];
		const client = clientOf({
			unary(_method, _signal, timeoutMs) {
				timeouts.push(timeoutMs);
				throw new ConnectError("no");
			},
		});
		for (const timeoutMs of [0.4, 2 ** 31, 1e300, 0]) {
			await client.getOrder({ value: "" }, { timeoutMs }).catch(() => {});
		}
		expect(timeouts).toEqual([1, 2 ** 31 - 1, 2 ** 31 - 1, 0]);
	});

	test("is not called with a request that is no message, or with invalid headers", async () => {
		const client = clientOf({});
		await expect(client.getOrder("text" as never)).rejects.toMatchObject({
			code: Code.Internal,
		});
		const options = { headers: { "not a name": "" } };
		await expect(client.searchOrders({}, options).recv()).rejects.toThrow(
			/headers: /,
		);
		await expect(
			client.updateOrders.open(options).closeAndRecv(),
		).rejects.toThrow(/headers: /);
	});
});
