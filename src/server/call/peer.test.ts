import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { createHandlerContext } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { RawClient } from "../../../testdata/harness/raw-client.ts";
import { getOrder, orderOf, text } from "../../../testdata/harness/serving.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { Server } from "../server.ts";
import { peerOf } from "./peer.ts";

/** The client's address as the server at `listen` sees it, and the port that the client has. */
async function seen(
	listen: string,
	dial: (listening: { address: string; port: number }) => string,
): Promise<{ address: string; port: number | undefined }> {
	const server = new Server().add(OrderManagement, {
		getOrder: (_, context) => ({ id: peerOf(context).address }),
	});
	const listening = await server.listen(listen);
	await using client = new RawClient(dial(listening));
	const call = client.open(getOrder).send(text("a")).end();
	const address = orderOf((await call.outcome).messages[0]).id;
	const port = client.socket.localPort;
	await server.shutdown({ graceMs: 0 });
	return { address, port };
}

const hasIPv6 = Object.values(networkInterfaces())
	.flat()
	.some((found) => found?.address === "::1");

describe("peerOf", () => {
	test("has the client's address", async () => {
		const { address, port } = await seen("127.0.0.1:0", (at) => at.address);
		expect(address).toBe(`127.0.0.1:${port}`);
	});

	test.skipIf(!hasIPv6)(
		"writes IPv6 addresses in brackets, and IPv4 ones as such",
		async () => {
			const six = await seen("[::]:0", (at) => `[::1]:${at.port}`);
			expect(six.address).toBe(`[::1]:${six.port}`);
			const four = await seen("[::]:0", (at) => `127.0.0.1:${at.port}`);
			expect(four.address).toBe(`127.0.0.1:${four.port}`);
		},
	);

	test("of a client on a unix socket is unix:", async () => {
		const directory = mkdtempSync(join(tmpdir(), "homing-"));
		const { address } = await seen(
			`unix:${join(directory, "s.sock")}`,
			(at) => at.address,
		);
		expect(address).toBe("unix:");
		rmSync(directory, { recursive: true });
	});

	test("throws for the context of another server", () => {
		const context = createHandlerContext({
			service: OrderManagement,
			method: OrderManagement.method.getOrder,
			protocolName: "connect",
			requestMethod: "POST",
			url: "http://localhost/",
		});
		expect(() => peerOf(context)).toThrow(/homing Server/);
	});
});
