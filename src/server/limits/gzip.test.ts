import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { framed } from "../../../testdata/harness/raw-client.ts";
import {
	getOrder,
	order,
	orderOf,
	searchOrders,
	serving,
	text,
	updateOrders,
} from "../../../testdata/harness/serving.ts";

const NOTHING = { underWay: 0, bytes: 0, waiting: 0 };
const GZIP = { "grpc-encoding": "gzip", "grpc-accept-encoding": "gzip" };

/** A gigabyte, in a megabyte. */
const bomb = framed(
	Buffer.concat(Array(16).fill(gzipSync(Buffer.alloc(64 << 20)))),
	1,
);

const large = "large ".repeat(100_000);

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

describe("a request that inflates on another thread", () => {
	test.each(["the client leaves", "the deadline passes", "the server ends"])(
		"stops when %s",
		async (why) => {
			const handler = vi.fn(() => ({}));
			await using served = await serving(
				{ getOrder: handler },
				{ readMaxBytes: 2 ** 30, maxInflations: 2, maxInflatingBytes: 2 ** 31 },
			);
			const inflations = () => served.server.snapshot().inflations;
			const deadline = why === "the deadline passes" ? "1500m" : "60S";
			const calls = Array.from({ length: 10 }, () =>
				served.client
					.open(getOrder, { ...GZIP, "grpc-timeout": deadline })
					.write(bomb)
					.end(),
			);
			await vi.waitFor(() =>
				expect(inflations()).toMatchObject({ underWay: 2, waiting: 8 }),
			);
			if (why === "the client leaves") for (const call of calls) call.cancel();
			if (why === "the server ends") {
				await served.server.shutdown({ graceMs: 0 });
			}
			await vi.waitFor(() => expect(inflations()).toEqual(NOTHING), 5000);
			// What the threads had begun ends with the chunk that they were at.
			await vi.waitFor(() => {
				expect(process.getActiveResourcesInfo()).not.toContain("Zlib");
				expect(process.getActiveResourcesInfo()).not.toContain("ZlibContext");
			});
			await sleep(50);
			const before = process.cpuUsage();
			await sleep(200);
			const { user, system } = process.cpuUsage(before);
			expect((user + system) / 1000).toBeLessThan(100);
			expect(handler).not.toHaveBeenCalled();
		},
		20_000,
	);

	test("waits for its turn, and then gets its answer", async () => {
		let most = 0;
		await using served = await serving(
			{
				updateOrders: async (orders) => {
					let bytes = 0;
					for await (const { description } of orders) {
						most = Math.max(most, inflations().underWay);
						bytes += description.length;
					}
					return { value: String(bytes) };
				},
			},
			{ maxInflations: 1 },
		);
		const inflations = () => served.server.snapshot().inflations;
		const message = framed(gzipSync(order({ description: large })), 1);
		const calls = Array.from({ length: 5 }, () =>
			served.client
				.open(updateOrders, GZIP)
				.write(message)
				.write(framed(gzipSync(order({ description: "small" })), 1))
				.write(message)
				.end(),
		);
		for (const call of calls) {
			const { status, messages } = await call.outcome;
			expect(status).toBe(0);
			expect(String(messages[0])).toContain(String(2 * large.length + 5));
		}
		expect(most).toBeLessThanOrEqual(1);
		expect(inflations()).toEqual(NOTHING);
	});
});

describe("responses that deflate on another thread", () => {
	test("keep their order among small ones, and the handler waits for them", async () => {
		const meanwhile: unknown[] = [];
		await using served = await serving(
			{
				async *searchOrders() {
					for (let i = 0; i < 40; i++) {
						yield { id: String(i), description: i % 3 ? "" : large };
						meanwhile.push(served.server.snapshot().deflations);
					}
				},
			},
			{ compression: "gzip" },
		);
		const call = served.client.open(searchOrders, GZIP).send(text("a")).end();
		using watch = mostOf(() => served.server.snapshot().deflations.underWay);
		const { status, messages } = await call.outcome;
		expect(watch.most).toBe(1);
		expect(status).toBe(0);
		const read = messages.map((bytes) =>
			orderOf(bytes[0] === 0x1f ? gunzipSync(bytes) : bytes),
		);
		expect(meanwhile).toEqual(Array(40).fill(NOTHING));
		expect(read.map(({ id }) => id)).toEqual(
			Array.from({ length: 40 }, (_, i) => String(i)),
		);
		expect(read.map(({ description }) => description.length)).toEqual(
			Array.from({ length: 40 }, (_, i) => (i % 3 ? 0 : large.length)),
		);
	});

	test("are sent before the status and the trailers", async () => {
		await using served = await serving(
			{
				getOrder: (_, context) => {
					context.responseTrailer.set("x-after", "it");
					return { description: large };
				},
			},
			{ compression: "gzip" },
		);
		const call = served.client.open(getOrder, GZIP).send(text("a")).end();
		const { status, messages, trailers } = await call.outcome;
		expect(status).toBe(0);
		expect(trailers?.["x-after"]).toBe("it");
		const [message] = messages as [Uint8Array];
		expect(message.length).toBeLessThan(large.length / 10);
		expect(orderOf(gunzipSync(message)).description).toBe(large);
		expect(served.server.snapshot().calls.succeeded).toBe(1);
	});

	test("stop when the client leaves", async () => {
		await using served = await serving(
			{ getOrder: () => ({ description: "x".repeat(100 << 20) }) },
			{ compression: "gzip", maxInflations: 1 },
		);
		const deflations = () => served.server.snapshot().deflations;
		const calls = Array.from({ length: 2 }, () =>
			served.client.open(getOrder, GZIP).send(text("a")).end(),
		);
		await vi.waitFor(() =>
			expect(deflations()).toMatchObject({ underWay: 1, waiting: 1 }),
		);
		for (const call of calls) call.cancel();
		await vi.waitFor(() => expect(deflations()).toEqual(NOTHING));
	});
});
