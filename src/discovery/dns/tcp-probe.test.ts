import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { tcpProbe } from "./tcp-probe.ts";

async function listening() {
	const server = createServer();
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return { server, address: `127.0.0.1:${port}` };
}

test("a server that listens is reached, and the connection is closed", async () => {
	const { server, address } = await listening();
	const connected = once(server, "connection");
	await tcpProbe(address, new AbortController().signal);
	const [socket] = await connected;
	socket.resume();
	await once(socket, "close");
	server.close();
});

test("a port on which no server listens is not reached", async () => {
	const { server, address } = await listening();
	server.close();
	await once(server, "close");
	await expect(
		tcpProbe(address, new AbortController().signal),
	).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("no connection is made if the signal has fired before", async () => {
	const { server, address } = await listening();
	let connections = 0;
	server.on("connection", () => {
		connections += 1;
	});
	await expect(tcpProbe(address, AbortSignal.abort("no"))).rejects.toBe("no");
	server.close();
	await once(server, "close");
	expect(connections).toBe(0);
});

test("the signal ends a connection attempt", async () => {
	// An address of the discard prefix (RFC 6666): packets to it get no answer, or the system has no route to it.
	const abort = new AbortController();
	const reached = tcpProbe("[100::1]:9", abort.signal);
	abort.abort();
	await expect(reached).rejects.toThrow();
});
