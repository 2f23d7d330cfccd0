import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { tcpReach } from "./tcp-probe.ts";

async function listening() {
	const server = createServer();
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return { server, address: `127.0.0.1:${port}` };
}

test("reaches a server, and closes the connection", async () => {
	const { server, address } = await listening();
	const connected = once(server, "connection");
	await tcpReach(address, new AbortController().signal);
	const [socket] = await connected;
	socket.resume();
	await once(socket, "close");
	server.close();
});

test("does not reach a port that nobody listens on", async () => {
	const { server, address } = await listening();
	server.close();
	await once(server, "close");
	await expect(
		tcpReach(address, new AbortController().signal),
	).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("a signal that has fired makes no connection", async () => {
	const { server, address } = await listening();
	let connections = 0;
	server.on("connection", () => {
		connections += 1;
	});
	await expect(tcpReach(address, AbortSignal.abort("no"))).rejects.toBe("no");
	server.close();
	await once(server, "close");
	expect(connections).toBe(0);
});

test("the signal gives up on a connection", async () => {
	// Of the discard prefix (RFC 6666): packets to it get no answer, or the system has no way there.
	const abort = new AbortController();
	const reached = tcpReach("[100::1]:9", abort.signal);
	abort.abort();
	await expect(reached).rejects.toThrow();
});
