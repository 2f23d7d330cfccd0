import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { framed, RawClient } from "../../../testdata/harness/raw-client.ts";
import {
	getOrder,
	order,
	serving,
	text,
	updateOrders,
} from "../../../testdata/harness/serving.ts";

const MiB = 1 << 20;
const RESOURCE_EXHAUSTED = 8;
const large = "x".repeat(3 * MiB);

describe("request messages that no handler has read", () => {
	test("beyond maxUnreadRequestBytes, the calls that stopped sending first end with RESOURCE_EXHAUSTED, and the others go on", async () => {
		const refused: string[] = [];
		await using served = await serving(
			{ getOrder: ({ value }) => ({ id: String(value.length) }) },
			{
				maxUnreadRequestBytes: 8 * MiB,
				onRefused: (what) => refused.push(what),
			},
		);
		const unread = () => served.server.snapshot().unreadRequestBytes;
		// Each on a connection of its own, whose window would hold them up else.
		const clients = [1, 2].map(() => new RawClient(served.address));
		const halves = clients.map((client) =>
			client.open(getOrder).write(framed(text(large)).subarray(0, -1)),
		);
		await vi.waitFor(() => expect(unread()).toBeGreaterThan(6 * MiB));
		const small = served.client.open(getOrder).write(Buffer.of(0, 0, 0));
		await vi.waitFor(() =>
			expect(served.server.snapshot().calls.inFlight).toBe(3),
		);
		for (let i = 0; i < 3; i++) {
			const good = served.client.open(getOrder).send(text(large)).end();
			expect((await good.outcome).status).toBe(0);
		}
		const outcome = await Promise.race(halves.map((call) => call.outcome));
		expect(outcome.status).toBe(RESOURCE_EXHAUSTED);
		expect(outcome.message).toContain("maxUnreadRequestBytes");
		expect(refused).toHaveLength(1);
		expect(refused[0]).toMatch(/^maxUnreadRequestBytes: /);
		// One was enough.
		expect(unread()).toBeGreaterThan(3 * MiB);
		expect(unread()).toBeLessThan(5 * MiB);
		small.write(framed(text("a")).subarray(3)).end();
		expect((await small.outcome).status).toBe(0);
		for (const client of clients) await client[Symbol.asyncDispose]();
		await vi.waitFor(() => expect(unread()).toBe(0));
	});

	test("an inflated message counts with its inflated size until the request is complete", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const unread = () => served.server.snapshot().unreadRequestBytes;
		const message = framed(gzipSync(text(large)), 1);
		const call = served.client
			.open(getOrder, { "grpc-encoding": "gzip" })
			.write(message);
		await vi.waitFor(() => expect(unread()).toBeGreaterThan(3 * MiB));
		call.end();
		expect((await call.outcome).status).toBe(0);
		expect(unread()).toBe(0);
	});

	test("the messages of a stream count until the handler reads them or stops reading", async () => {
		const step = Promise.withResolvers<void>();
		const left = Promise.withResolvers<void>();
		await using served = await serving({
			updateOrders: async (orders) => {
				await step.promise;
				for await (const { id } of orders) if (id === "last") break;
				await left.promise;
				return { value: "done" };
			},
		});
		const unread = () => served.server.snapshot().unreadRequestBytes;
		const call = served.client.open(updateOrders);
		for (let i = 0; i < 10; i++)
			call.send(order({ description: "0123456789" }));
		await vi.waitFor(() => expect(unread()).toBeGreaterThan(100));
		step.resolve();
		await vi.waitFor(() => expect(unread()).toBe(0));
		call.send(order({ id: "last" })).send(order({ id: "more" }));
		await sleep(50);
		call.send(order({ id: "more" }));
		await sleep(50);
		expect(unread()).toBe(0);
		left.resolve();
		expect((await call.end().outcome).status).toBe(0);
	});
});
