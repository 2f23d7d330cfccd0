import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { serverLookup, systemLookup, withNameServer } from "./name-lookup.ts";

const A = 1;
const AAAA = 28;
const SRV = 33;

interface Answer {
	type: number;
	ttl: number;
	data: Buffer;
}

const servers: Socket[] = [];
afterEach(() => {
	for (const server of servers.splice(0)) {
		server.close();
	}
});

/** A name server with given answers to each type of query, or without answers (RFC 1035, section 4). */
async function nameServer(
	answer: (type: number) => readonly Answer[] | "no such name" | "silence",
): Promise<string> {
	const server = createSocket("udp4");
	servers.push(server);
	server.on("message", (query, { port, address }) => {
		const nameEnd = query.indexOf(0, 12) + 1;
		const question = query.subarray(12, nameEnd + 4);
		const reply = answer(query.readUInt16BE(nameEnd));
		if (reply === "silence") {
			return;
		}
		const answers = typeof reply === "string" ? [] : reply;
		const header = Buffer.alloc(12);
		query.copy(header, 0, 0, 2);
		header.writeUInt16BE(typeof reply === "string" ? 0x8183 : 0x8180, 2);
		header.writeUInt16BE(1, 4);
		header.writeUInt16BE(answers.length, 6);
		const records = answers.map(({ type, ttl, data }) => {
			const record = Buffer.alloc(12);
			record.writeUInt16BE(0xc00c, 0);
			record.writeUInt16BE(type, 2);
			record.writeUInt16BE(1, 4);
			record.writeUInt32BE(ttl, 6);
			record.writeUInt16BE(data.length, 10);
			return Buffer.concat([record, data]);
		});
		server.send(Buffer.concat([header, question, ...records]), port, address);
	});
	server.bind(0, "127.0.0.1");
	await once(server, "listening");
	return `127.0.0.1:${server.address().port}`;
}

const a = (ttl: number, ...bytes: number[]): Answer => ({
	type: A,
	ttl,
	data: Buffer.from(bytes),
});
const aaaa = (ttl: number, last: number): Answer => ({
	type: AAAA,
	ttl,
	data: Buffer.from([0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), last]),
});
const { signal } = new AbortController();

test("a name server is asked for both families, and the shortest TTL is returned", async () => {
	const server = await nameServer((type) =>
		type === A ? [a(60, 10, 0, 0, 1), a(7, 10, 0, 0, 2)] : [aaaa(20, 1)],
	);
	expect(await serverLookup(server)("payment.example", signal)).toEqual({
		addresses: ["2001:db8::1", "10.0.0.1", "10.0.0.2"],
		ttlMs: 7000,
	});
});

test("a name with addresses of one family is resolved", async () => {
	const server = await nameServer((type) =>
		type === A ? [a(60, 10, 0, 0, 1)] : [],
	);
	expect(
		(await serverLookup(server)("payment.example", signal)).addresses,
	).toEqual(["10.0.0.1"]);
});

test("a name that the server does not know is an error", async () => {
	const server = await nameServer(() => "no such name");
	await expect(
		serverLookup(server)("payment.example", signal),
	).rejects.toMatchObject({ code: "ENOTFOUND" });
});

test("the signal cancels a query that a server does not answer", async () => {
	const server = await nameServer(() => "silence");
	const abort = new AbortController();
	const found = serverLookup(server)("payment.example", abort.signal);
	abort.abort();
	await expect(found).rejects.toMatchObject({ code: "ECANCELLED" });
});

test("a name server is asked for SRV records", async () => {
	const target = Buffer.from("\x05node1\x07example\0", "latin1");
	const server = await nameServer((type) =>
		type === SRV
			? [
					{
						type: SRV,
						ttl: 60,
						data: Buffer.concat([
							Buffer.from([0, 10, 0, 5, 0xc3, 0x83]),
							target,
						]),
					},
				]
			: [],
	);
	expect(
		await withNameServer(server, signal, (resolver) =>
			resolver.resolveSrv("_grpc._tcp.payment.example"),
		),
	).toMatchObject([
		{ name: "node1.example", port: 50051, priority: 10, weight: 5 },
	]);
});

test("the system resolves localhost", async () => {
	const { addresses, ttlMs } = await systemLookup("localhost", signal);
	expect(addresses).not.toHaveLength(0);
	expect(ttlMs).toBeUndefined();
});
