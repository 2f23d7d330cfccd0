import { createContextKey, createContextValues } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	answer,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { NewEchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { NewOrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { channelOf } from "../client-object.ts";
import type { CallOptions } from "../options/call-options.ts";

const bad: [object, string][] = [
	[{ timeot: 5 }, "timeot: is not an option"],
	[{ timeout: "5s" }, "timeout: is not an option; did you mean timeoutMs?"],
	[{ timeoutMs: "5" }, "timeoutMs: "],
	[{ headers: { "bad name": "x" } }, "headers: "],
	[{ headers: { a: "line\nline" } }, "headers: "],
	[{ signal: {} }, "signal: "],
	[{ parent: {} }, "parent: "],
	[{ retryPolicy: { maxAttempts: 1 } }, "retryPolicy.maxAttempts: "],
	[{ hashKey: "" }, "hashKey: "],
];

describe("a bad option of a call", () => {
	test.each(bad)(
		"%j rejects a unary call, naming it, before anything is sent",
		async (options, message) => {
			let requests = 0;
			await using server = await serveStreams((stream) => {
				requests += 1;
				answer(stream);
			});
			await using echo = NewEchoServiceClient(server.address);
			const call = echo.echo({}, options as CallOptions);
			await expect(call).rejects.toThrow(TypeError);
			await expect(call).rejects.toThrow(message);
			expect(channelOf(echo)?.snapshot()).toMatchObject({
				state: "idle",
				callsInFlight: 0,
			});
			expect(requests).toBe(0);
		},
	);

	test.each(bad)(
		"%j rejects streaming calls of all kinds, naming it, before they begin",
		async (options, message) => {
			await using orders = NewOrderManagementClient("127.0.0.1:1");
			const given = options as CallOptions;
			const search = orders.searchOrders({}, given);
			const update = orders.updateOrders.open(given);
			const process = orders.processOrders.open(given);
			const rejections = [
				search.recv(),
				search.header,
				search.trailer,
				search[Symbol.asyncIterator]().next(),
				update.send({}),
				update.closeAndRecv(),
				process.send({}),
				process.recv(),
				orders.processOrders([], given).recv(),
				orders.updateOrders([], given),
			];
			for (const rejection of rejections) {
				await expect(rejection).rejects.toThrow(TypeError);
				await expect(rejection).rejects.toThrow(message);
			}
			await process.closeSend();
			process.cancel();
			await process[Symbol.asyncDispose]();
			expect(channelOf(orders)?.snapshot()).toMatchObject({
				state: "idle",
				callsInFlight: 0,
			});
		},
	);
});

test("headers are read when the call is made; later changes have no effect", async () => {
	const seen: unknown[] = [];
	await using server = await serveStreams((stream, headers) => {
		seen.push(headers["x-a"]);
		answer(stream);
	});
	await using echo = NewEchoServiceClient(server.address);
	const headers = new Headers({ "x-a": "before" });
	// The client has to connect first, so the request is sent later.
	const call = echo.echo({}, { headers });
	headers.set("x-a", "after");
	await call;
	expect(seen).toEqual(["before"]);
});

test("context values are accepted, though nobody reads them", async () => {
	await using server = await serveStreams((stream) => answer(stream));
	await using echo = NewEchoServiceClient(server.address);
	const key = createContextKey("");
	const contextValues = createContextValues().set(key, "x");
	await echo.echo({}, { contextValues });
});

test("an omitted request is an empty message", async () => {
	const bodies: Buffer[] = [];
	await using server = await serveStreams((stream) => {
		stream.on("data", (chunk: Buffer) => bodies.push(chunk));
		stream.on("end", () => answer(stream));
	});
	await using echo = NewEchoServiceClient(server.address);
	await (echo.echo as () => Promise<unknown>)();
	expect(Buffer.concat(bodies)).toEqual(Buffer.alloc(5));
});
