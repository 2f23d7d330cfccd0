import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { FakeClock } from "../../testdata/harness/fake-clock.ts";
import { RawClient } from "../../testdata/harness/raw-client.ts";
import { getOrder, serving, text } from "../../testdata/harness/serving.ts";
import { Connections } from "./connections.ts";

describe("a client that connects and", () => {
	test("says nothing is cut off after 10 s", async () => {
		const clock = new FakeClock();
		const connections = new Connections({
			clock,
			tls: undefined,
			maxConcurrentStreams: 1,
			onStream: () => {},
			onTlsFailure: () => {},
		});
		const server = createServer((socket) => connections.accept(socket));
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;

		const silent = connect(port, "127.0.0.1");
		const closed = once(silent, "close");
		silent.on("error", () => {}).resume();
		await using good = new RawClient(`127.0.0.1:${port}`);
		await vi.waitFor(() => {
			expect(connections.size).toBe(1);
			expect(clock.pending).toBe(1);
		});

		await clock.advance(9_999);
		expect(silent.destroyed).toBe(false);
		await clock.advance(1);
		await closed;
		expect(good.session.destroyed).toBe(false);
		connections.destroy();
		server.close();
	});

	test("comes when all have been ended is cut off at once", async () => {
		const connections = new Connections({
			clock: new FakeClock(),
			tls: undefined,
			maxConcurrentStreams: 1,
			onStream: () => {},
			onTlsFailure: () => {},
		});
		connections.destroy();
		const server = createServer((socket) => {
			connections.accept(socket);
			expect(socket.destroyed).toBe(true);
		});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		const late = connect(port, "127.0.0.1");
		late.on("error", () => {}).resume();
		await once(late, "close");
		server.close();
	});

	test("speaks another protocol is refused", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const client = connect(Number(served.address.split(":")[1]), "127.0.0.1");
		client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
		client.on("error", () => {}).resume();
		await once(client, "close");
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
	});

	test("goes away again harms nobody", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		for (let i = 0; i < 20; i++) {
			const client = connect(Number(served.address.split(":")[1]), "127.0.0.1");
			client.on("error", () => {});
			await once(client, "connect");
			client.write("PRI * HTTP/2.0\r\n\r\nSM".slice(0, i));
			client.resetAndDestroy();
		}
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
		await vi.waitFor(() =>
			expect(served.server.snapshot().connections).toBe(1),
		);
	});
});

describe("the headers of a request", () => {
	test("may have 16 KiB; a call with more is reset, and the connection goes on", async () => {
		const handler = vi.fn(() => ({}));
		await using served = await serving({ getOrder: handler });
		await once(served.client.session, "remoteSettings");
		const headers = (bytes: number) => ({ "x-large": "x".repeat(bytes) });
		const large = served.client.open(getOrder, headers(15_000));
		expect((await large.send(text("a")).end().outcome).status).toBe(0);
		const larger = served.client.open(getOrder, headers(17_000));
		const { status, rstCode } = await larger.end().outcome;
		expect(status).toBeUndefined();
		expect(rstCode).not.toBe(0);
		const after = served.client.open(getOrder).send(text("a")).end();
		expect((await after.outcome).status).toBe(0);
		expect(handler).toHaveBeenCalledTimes(2);
	});
});

describe("a client that resets its calls", () => {
	test("by the hundred, as when deadlines pass, keeps its connection", async () => {
		await using served = await serving({
			getOrder: ({ value }) =>
				value === "wait" ? new Promise<never>(() => {}) : {},
		});
		for (let batch = 0; batch < 10; batch++) {
			const calls = Array.from({ length: 200 }, () =>
				served.client.open(getOrder).send(text("wait")).end(),
			);
			await new Promise((resolve) => setImmediate(resolve));
			for (const call of calls) call.cancel();
			await Promise.all(calls.map((call) => call.outcome));
		}
		const call = served.client.open(getOrder).send(text("a")).end();
		expect((await call.outcome).status).toBe(0);
	});
});

describe("large messages", () => {
	test("in plenty at a time are no reason to refuse calls", async () => {
		const description = "x".repeat(1 << 20);
		await using served = await serving({ getOrder: () => ({ description }) });
		const calls = Array.from({ length: 30 }, () =>
			served.client.open(getOrder).send(text("a")).end(),
		);
		for (const call of calls) expect((await call.outcome).status).toBe(0);
	});
});
