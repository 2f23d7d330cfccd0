import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
	type Client,
	Code,
	ConnectError,
	createClient,
	createContextValues,
} from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { Server } from "../../server/server.ts";
import { Channel } from "../channel.ts";
import { callOptionsKey } from "../options/call-options.ts";

let aborted = 0;

const server = new Server();

server.add(OrderManagement, {
	async getOrder({ value }, context) {
		context.responseHeader.set("x-header", "first");
		context.responseTrailer.set("x-trailer", "last");
		if (value === "fail") {
			throw new ConnectError("gone", Code.NotFound, { "x-why": "lost" }, [
				{ desc: StringValueSchema, value: { value: "detail" } },
			]);
		}
		if (value === "hang") {
			await new Promise((_resolve, reject) => {
				context.signal.addEventListener("abort", () => {
					aborted++;
					reject(context.signal.reason);
				});
			});
		}
		return { id: value, description: String(context.timeoutMs()) };
	},
	async *searchOrders({ value }, context) {
		context.responseHeader.set("x-header", "first");
		context.responseTrailer.set("x-trailer", "last");
		context.signal.addEventListener("abort", () => {
			aborted++;
		});
		yield { id: `${value}1` };
		if (value === "fail") throw new ConnectError("gone", Code.NotFound);
		if (value === "hang") await new Promise(() => {});
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
});

async function idsOf(found: AsyncIterable<{ id: string }>): Promise<string[]> {
	const ids: string[] = [];
	for await (const { id } of found) ids.push(id);
	return ids;
}

async function* eachOf<T>(...items: T[]): AsyncGenerator<T> {
	yield* items;
}

describe("a Channel under Connect's createClient", () => {
	let channel: Channel;
	let client: Client<typeof OrderManagement>;

	beforeAll(async () => {
		const { address } = await server.listen("127.0.0.1:0");
		channel = new Channel(address);
		client = createClient(OrderManagement, channel);
	});

	afterAll(async () => {
		await channel.close();
		await server.shutdown();
	});

	test("makes calls of all four kinds", async () => {
		expect(await client.getOrder({ value: "a" })).toMatchObject({ id: "a" });
		expect(await idsOf(client.searchOrders({ value: "a" }))).toEqual([
			"a1",
			"a2",
		]);
		const orders = eachOf({ id: "1" }, { id: "2" });
		expect((await client.updateOrders(orders)).value).toBe("1,2");
		const values = eachOf({ value: "1" }, { value: "2" });
		expect(await idsOf(client.processOrders(values))).toEqual(["1", "2"]);
	});

	test("provides headers and trailers", async () => {
		const heard: (string | null)[] = [];
		const options = {
			onHeader: (header: Headers) => heard.push(header.get("x-header")),
			onTrailer: (trailer: Headers) => heard.push(trailer.get("x-trailer")),
		};
		await client.getOrder({ value: "a" }, options);
		await idsOf(client.searchOrders({ value: "a" }, options));
		expect(heard).toEqual(["first", "last", "first", "last"]);
	});

	test("fails with code, metadata and details", async () => {
		const error = await client
			.getOrder({ value: "fail" })
			.catch((reason: unknown) => reason as ConnectError);
		expect(error).toBeInstanceOf(ConnectError);
		expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "gone" });
		const { metadata } = error as ConnectError;
		expect(metadata.get("x-why")).toBe("lost");
		expect(
			(error as ConnectError).findDetails(StringValueSchema),
		).toMatchObject([{ value: "detail" }]);
		await expect(
			idsOf(client.searchOrders({ value: "fail" })),
		).rejects.toMatchObject({ code: Code.NotFound });
	});

	test("applies timeoutMs, and 10 s by default", async () => {
		await expect(
			client.getOrder({ value: "hang" }, { timeoutMs: 50 }),
		).rejects.toMatchObject({ code: Code.DeadlineExceeded });
		const found = client.searchOrders({ value: "hang" }, { timeoutMs: 100 });
		await expect(idsOf(found)).rejects.toMatchObject({
			code: Code.DeadlineExceeded,
		});
		const remaining = async (timeoutMs?: number): Promise<string> =>
			(
				await client.getOrder(
					{ value: "a" },
					{ timeoutMs: timeoutMs as number },
				)
			).description;
		expect(Number(await remaining())).toBeGreaterThan(8_000);
		expect(Number(await remaining())).toBeLessThanOrEqual(10_000);
		expect(await remaining(0)).toBe("undefined");
	});

	test("is cancelled by a signal, and by leaving the iteration with an error", async () => {
		aborted = 0;
		const abort = new AbortController();
		const answer = client.getOrder({ value: "hang" }, { signal: abort.signal });
		setTimeout(() => abort.abort(), 50);
		await expect(answer).rejects.toMatchObject({ code: Code.Canceled });
		await vi.waitFor(() => expect(aborted).toBe(1));

		const left = new AbortController();
		const { signal } = left;
		for await (const { id } of client.searchOrders(
			{ value: "hang" },
			{ signal },
		)) {
			expect(id).toBe("hang1");
			break;
		}
		left.abort();
		await vi.waitFor(() => expect(aborted).toBe(2));
	});

	test("accepts homing's call options in callOptionsKey", async () => {
		await using nowhere = new Channel("127.0.0.1:1");
		const other = createClient(OrderManagement, nowhere);
		const contextValues = createContextValues();
		await expect(
			other.getOrder({ value: "a" }, { contextValues, timeoutMs: 300 }),
		).rejects.toMatchObject({ code: Code.Unavailable });
		contextValues.set(callOptionsKey, { waitForReady: true });
		await expect(
			other.getOrder({ value: "a" }, { contextValues, timeoutMs: 300 }),
		).rejects.toMatchObject({ code: Code.DeadlineExceeded });
	});

	test("rejects bad options in callOptionsKey, and names them", async () => {
		const contextValues = createContextValues().set(callOptionsKey, {
			waitForReady: "yes" as never,
		});
		await expect(client.getOrder({}, { contextValues })).rejects.toThrow(
			"callOptionsKey.waitForReady",
		);
	});
});
