import { gunzipSync, gzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { framed } from "../../testdata/harness/raw-client.ts";
import {
	getOrder,
	orderOf,
	searchOrders,
	serving,
	text,
} from "../../testdata/harness/serving.ts";
import { systemClock } from "../policy/clock.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Refusals } from "./limits/refusals.ts";
import { serverSettings } from "./options/server-options.ts";
import { Routes } from "./routes.ts";

const echo = {
	getOrder: ({ value }: { value: string }) => ({ id: value }),
};

describe("requests that are not gRPC calls", () => {
	test.each(["GET", "HEAD", "PUT", "OPTIONS"])(
		"the method %s is answered with HTTP 405",
		async (method) => {
			await using served = await serving(echo);
			const call = served.client.open(getOrder, { ":method": method });
			const { headers, status } = await call.end().outcome;
			expect(headers).toMatchObject({ ":status": 405 });
			expect(status).toBeUndefined();
		},
	);

	test.each([
		"application/json",
		"application/grpc-web",
		"application/grpc+json",
		"text/plain",
		"",
	])('the content type "%s" is answered with HTTP 415', async (contentType) => {
		await using served = await serving(echo);
		const call = served.client.open(getOrder, { "content-type": contentType });
		const { headers, status } = await call.send(text("a")).end().outcome;
		expect(headers).toMatchObject({ ":status": 415 });
		expect(status).toBeUndefined();
	});

	test("do not affect the connection", async () => {
		await using served = await serving(echo);
		await served.client.open("/", { ":method": "GET" }).end().outcome;
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
	});
});

describe("calls of unknown methods", () => {
	test.each([
		["/no.Such/getOrder", 'no service "no.Such"'],
		["/ecommerce.OrderManagement/nope", 'no method "nope"'],
		["/ecommerce.OrderManagement/getorder", 'no method "getorder"'],
		[searchOrders, "searchOrders is not implemented"],
		["/getOrder", '"/getOrder"'],
		["/", '"/"'],
	])(
		"%s fails with UNIMPLEMENTED, and the message says why",
		async (path, message) => {
			await using served = await serving(echo);
			const call = served.client.open(path).send(text("a")).end();
			const { headers, status, message: said } = await call.outcome;
			expect(headers).toMatchObject({
				":status": 200,
				"content-type": "application/grpc",
			});
			expect(status).toBe(12);
			expect(said).toContain(message);
		},
	);

	test("are answered while the client is still sending", async () => {
		await using served = await serving(echo);
		const call = served.client.open("/no.Such/thing").send(text("a"));
		expect(await call.outcome).toMatchObject({ status: 12, rstCode: 0 });
	});
});

describe("grpc-timeout", () => {
	test.each(["", "5", "S", "5s", "-5S", "123456789S", "1.5S"])(
		'"%s" is malformed and fails the call with INTERNAL',
		async (timeout) => {
			await using served = await serving(echo);
			const call = served.client.open(getOrder, { "grpc-timeout": timeout });
			expect(await call.send(text("a")).end().outcome).toMatchObject({
				status: 13,
				message: `grpc-timeout "${timeout}" is malformed`,
			});
		},
	);

	test("may be longer than JavaScript's timers", async () => {
		await using served = await serving(echo);
		const call = served.client.open(getOrder, { "grpc-timeout": "99999999H" });
		expect((await call.send(text("a")).end().outcome).status).toBe(0);
	});
});

describe("gzip", () => {
	const long = "x".repeat(2000);

	test("each message of a request may be compressed or not", async () => {
		await using served = await serving(echo);
		for (const message of [
			framed(gzipSync(text("a")), 1),
			framed(text("a")),
			framed(gzipSync(text("a".repeat(100_000))), 1),
		]) {
			const call = served.client.open(getOrder, { "grpc-encoding": "gzip" });
			const { messages } = await call.write(message).end().outcome;
			expect(orderOf(messages[0]).id).toMatch(/^a+$/);
		}
	});

	test("a request that inflates to more than readMaxBytes fails with RESOURCE_EXHAUSTED", async () => {
		await using served = await serving(echo);
		const bomb = gzipSync(Buffer.alloc(64 << 20));
		expect(bomb.length).toBeLessThan(100_000);
		const call = served.client.open(getOrder, { "grpc-encoding": "gzip" });
		const { status } = await call.write(framed(bomb, 1)).end().outcome;
		expect(status).toBe(8);
	});

	test("data that is not gzip fails the call with INTERNAL", async () => {
		await using served = await serving(echo);
		const call = served.client.open(getOrder, { "grpc-encoding": "gzip" });
		const { status } = await call.write(framed(text("a"), 1)).end().outcome;
		expect(status).toBe(13);
	});

	test("a compressed message without a grpc-encoding fails the call with INTERNAL", async () => {
		await using served = await serving(echo);
		const call = served.client.open(getOrder);
		call.write(framed(gzipSync(text("a")), 1)).end();
		expect((await call.outcome).status).toBe(13);
	});

	test("an unknown grpc-encoding fails the call with UNIMPLEMENTED and the list of known ones", async () => {
		await using served = await serving(echo);
		const call = served.client.open(getOrder, { "grpc-encoding": "br" });
		const { headers, status } = await call.send(text("a")).end().outcome;
		expect(status).toBe(12);
		expect(headers?.["grpc-accept-encoding"]).toBe("gzip,identity");
	});

	test("responses of 1 KiB and more are compressed if the option is set and the client accepts it", async () => {
		const accepting = { "grpc-accept-encoding": "deflate, gzip" };
		for (const [compression, headers, value, compressed] of [
			["gzip", accepting, long, true],
			["gzip", accepting, "short", false],
			["gzip", {}, long, false],
			["gzip", { "grpc-accept-encoding": "identity" }, long, false],
			[undefined, accepting, long, false],
		] as const) {
			await using served = await serving(echo, { compression });
			const call = served.client.open(getOrder, headers);
			const outcome = await call.send(text(value)).end().outcome;
			const [message] = outcome.messages as [Uint8Array];
			const payload = compressed ? gunzipSync(message) : message;
			expect(orderOf(payload).id).toBe(value);
		}
	});
});

describe("the counts of calls", () => {
	test("count calls that started, succeeded, failed and are in flight", async () => {
		const { promise: never } = Promise.withResolvers<never>();
		await using served = await serving({
			getOrder: ({ value }) => {
				if (value === "throw") throw new Error();
				return value === "wait" ? never : {};
			},
		});
		for (const value of ["a", "b", "throw"]) {
			await served.client.open(getOrder).send(text(value)).end().outcome;
		}
		served.client.open(getOrder).send(text("wait")).end();
		await served.client.open("/no.Such/method").end().outcome;
		expect(served.server.snapshot().calls).toEqual({
			started: 4,
			succeeded: 2,
			failed: 1,
			inFlight: 1,
		});
	});
});

describe("a dispatcher that was closed", () => {
	test("refuses further calls with its reason", () => {
		const settings = serverSettings({});
		const dispatcher = new Dispatcher(
			systemClock,
			settings,
			new Routes([]),
			new Refusals(undefined),
			() => {},
		);
		dispatcher.close(new ConnectError("gone", Code.Unavailable));
		const finish = vi.fn();
		dispatcher.dispatch(
			{ finish } as never,
			[":method", "POST", "content-type", "application/grpc"],
			{ address: "unix:" },
		);
		expect(finish.mock.calls[0]?.[0]).toEqual(
			expect.arrayContaining(["grpc-status", "14", "grpc-message", "gone"]),
		);
	});
});
