import { setImmediate as nextTurn } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { serving } from "../../../testdata/harness/serving.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { Channel } from "../channel.ts";
import { newClient } from "../new-client.ts";

const NOTHING = { underWay: 0, bytes: 0, waiting: 0 };
const large = "large ".repeat(100_000);

interface Counted {
	readonly inflations: { readonly underWay: number };
	readonly deflations: { readonly underWay: number };
}

/** The most of what is counted in any turn of the event loop, until it is disposed of. */
function mostOf(count: () => number): { most: number } & Disposable {
	const watch = {
		most: 0,
		[Symbol.dispose]: () => clearImmediate(next),
	};
	const look = (): void => {
		watch.most = Math.max(watch.most, count());
		next = setImmediate(look);
	};
	let next = setImmediate(look);
	return watch;
}

async function calling(options: object, orders: Parameters<typeof serving>[0]) {
	const served = await serving(orders, { compression: "gzip" });
	const channel = new Channel(served.address, options);
	return {
		served,
		client: newClient<OrdersClient>(OrderManagement, channel),
		counts: () => channel.snapshot() as Counted,
		async [Symbol.asyncDispose]() {
			await channel.close();
			await served[Symbol.asyncDispose]();
		},
	};
}

type OrdersClient = import("@connectrpc/connect").Client<
	typeof OrderManagement
>;

describe("requests that deflate on another thread", () => {
	test("keep their order with small ones, and who sends waits for them", async () => {
		const meanwhile: unknown[] = [];
		await using calls = await calling(
			{ compression: "gzip" },
			{
				updateOrders: async (orders) => {
					const ids: string[] = [];
					for await (const { id, description } of orders) {
						ids.push(`${id}:${description.length}`);
					}
					return { value: ids.join() };
				},
			},
		);
		async function* orders() {
			for (let i = 0; i < 20; i++) {
				yield { id: String(i), description: i % 3 ? "x" : large };
				meanwhile.push(calls.counts().deflations);
			}
		}
		const answer = calls.client.updateOrders(orders());
		using watch = mostOf(() => calls.counts().deflations.underWay);
		const { value } = await answer;
		expect(watch.most).toBe(1);
		expect(meanwhile).toEqual(Array(20).fill(NOTHING));
		expect(value).toBe(
			Array.from(
				{ length: 20 },
				(_, i) => `${i}:${i % 3 ? 1 : large.length}`,
			).join(),
		);
	});

	test("of unary calls are sent, retried, and counted as they were", async () => {
		let attempts = 0;
		const seen: number[] = [];
		await using calls = await calling(
			{
				compression: "gzip",
				serviceConfig: {
					methodConfig: [
						{
							name: [{}],
							retryPolicy: {
								maxAttempts: 3,
								initialBackoff: "0.01s",
								maxBackoff: "0.01s",
								backoffMultiplier: 1,
								retryableStatusCodes: ["UNKNOWN"],
							},
						},
					],
				},
			},
			{
				getOrder: ({ value }) => {
					seen.push(value.length);
					if (++attempts < 3) throw new Error("again");
					return { description: value };
				},
			},
		);
		const { description } = await calls.client.getOrder({ value: large });
		expect(description).toBe(large);
		expect(seen).toEqual([large.length, large.length, large.length]);
		expect(calls.counts()).toMatchObject({
			inflations: NOTHING,
			deflations: NOTHING,
		});
	});

	test("stop with their call", async () => {
		await using calls = await calling(
			{ compression: "gzip", maxInflations: 1 },
			{ getOrder: () => ({}) },
		);
		const controller = new AbortController();
		const value = "x".repeat(100 << 20);
		const made = [1, 2].map(() =>
			calls.client.getOrder({ value }, { signal: controller.signal }),
		);
		expect(calls.counts().deflations).toMatchObject({
			underWay: 1,
			waiting: 1,
		});
		controller.abort();
		for (const call of made) {
			await expect(call).rejects.toMatchObject({ code: Code.Canceled });
		}
		expect(calls.counts().deflations).toEqual(NOTHING);
	});
});

describe("responses that inflate on another thread", () => {
	test("stop with their call", async () => {
		await using calls = await calling(
			{
				serviceConfig: {
					methodConfig: [{ name: [{}], maxResponseMessageBytes: 2 ** 30 }],
				},
			},
			{ getOrder: () => ({ description: "x".repeat(100 << 20) }) },
		);
		const controller = new AbortController();
		const call = calls.client.getOrder({}, { signal: controller.signal });
		while (calls.counts().inflations.underWay === 0) await nextTurn();
		controller.abort();
		await expect(call).rejects.toMatchObject({ code: Code.Canceled });
		expect(calls.counts().inflations).toEqual(NOTHING);
	}, 20_000);
});
