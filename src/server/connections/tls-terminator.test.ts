import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
	type Identity,
	makeIdentity,
	makeRevocationList,
} from "../../../testdata/peers/node/certificates.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { peerOf } from "../call/peer.ts";
import type { ServerOptions } from "../options/server-options.ts";
import type { ServerTls } from "../options/tls-options.ts";
import { Server } from "../server.ts";

const authority = makeIdentity({ commonName: "authority" });
const issued = (commonName: string): Identity =>
	makeIdentity({
		commonName,
		hosts: ["localhost", "127.0.0.1"],
		issuer: authority,
	});
const serverIdentity = issued("server");
const clientIdentity = issued("client");
const stranger = makeIdentity({ commonName: "stranger" });

const servers: Server[] = [];

afterEach(async () => {
	for (const server of servers.splice(0)) await server.shutdown({ graceMs: 0 });
});

function pems({ certificate, key }: Identity): { cert: string; key: string } {
	return { cert: certificate, key };
}

/** A server that answers with the name on its client's certificate. */
async function listening(
	tls: ServerTls,
	options?: ServerOptions,
): Promise<number> {
	const server = new Server({ ...options, tls }).add(OrderManagement, {
		getOrder: (_, context) => ({
			id: peerOf(context).certificate?.subject ?? "nobody",
		}),
	});
	servers.push(server);
	return (await server.listen("127.0.0.1:0")).port;
}

/** The name that the server saw. */
async function callAt(
	port: number,
	options: ConnectionOptions,
): Promise<string> {
	const client = createClient(
		OrderManagement,
		createGrpcTransport({
			baseUrl: `https://localhost:${port}`,
			nodeOptions: { ca: authority.certificate, ...options },
		}),
	);
	return (await client.getOrder({})).id;
}

/** The certificate that a new connection is shown. */
async function shownAt(port: number): Promise<string> {
	const socket = connect({
		port,
		host: "127.0.0.1",
		ca: authority.certificate,
		servername: "localhost",
		ALPNProtocols: ["h2"],
	});
	await once(socket, "secureConnect");
	const { subject } = socket.getPeerCertificate();
	socket.destroy();
	return String(subject.CN);
}

describe("TLS", () => {
	test("works with a certificate and a key, given as text or bytes", async () => {
		const { cert, key } = pems(serverIdentity);
		for (const tls of [
			{ cert, key },
			{ cert: new TextEncoder().encode(cert), key: Buffer.from(key) },
		]) {
			expect(await callAt(await listening(tls), {})).toBe("nobody");
		}
	});

	test("works with an encrypted key and its passphrase", async () => {
		const { cert, key } = pems(serverIdentity);
		const encrypted = createPrivateKey(key).export({
			type: "pkcs8",
			format: "pem",
			cipher: "aes-256-cbc",
			passphrase: "open sesame",
		}) as string;
		const tls = { cert, key: encrypted, passphrase: "open sesame" };
		expect(await callAt(await listening(tls), {})).toBe("nobody");
		expect(() => new Server({ tls: { ...tls, passphrase: "wrong" } })).toThrow(
			"tls.passphrase: does not open tls.key",
		);
	});

	test("refuses versions below minVersion", async () => {
		const port = await listening({
			...pems(serverIdentity),
			minVersion: "TLSv1.3",
		});
		expect(await callAt(port, {})).toBe("nobody");
		await expect(callAt(port, { maxVersion: "TLSv1.2" })).rejects.toThrow();
	});

	test("closes a connection without HTTP/2 in ALPN", async () => {
		const port = await listening(pems(serverIdentity));
		const without = connect({
			port,
			host: "127.0.0.1",
			rejectUnauthorized: false,
		});
		await once(without, "close");
		const other = connect({
			port,
			host: "127.0.0.1",
			rejectUnauthorized: false,
			ALPNProtocols: ["http/1.1"],
		});
		const [error] = await once(other, "error");
		expect(String(error)).toContain("no application protocol");
	});

	test("closes a plaintext connection", async () => {
		const port = await listening(pems(serverIdentity));
		const session = connectHttp2(`http://127.0.0.1:${port}`);
		session.on("error", () => {});
		await once(session, "close");
	});

	test("throws at construction for options without a certificate or with a bad one", () => {
		const { cert, key } = pems(serverIdentity);
		expect(() => new Server({ tls: { key } })).toThrow("tls.cert: is missing");
		expect(() => new Server({ tls: { cert } })).toThrow("tls.key: is missing");
		expect(() => new Server({ tls: { cert: "x", key } })).toThrow(
			"tls.cert: holds no certificate in PEM",
		);
		expect(() => new Server({ tls: { cert: "./cert.pem", key } })).toThrow(
			'tls.cert: "./cert.pem" is a path: read the file',
		);
		expect(() => new Server({ tls: { cert, key: stranger.key } })).toThrow(
			"tls.key: does not belong to the first certificate of tls.cert",
		);
		expect(() => new Server({ tls: { cert, key, ca: [cert, "no"] } })).toThrow(
			"tls.ca[1]: holds no certificate in PEM",
		);
		expect(() => new Server({ tls: { cert, key, passphrase: "" } })).toThrow(
			"tls.passphrase: ",
		);
		expect(
			() => new Server({ tls: { cert, key, minVersion: "TLSv1.1" } as never }),
		).toThrow('tls.minVersion: "TLSv1.1" is not "TLSv1.2" or "TLSv1.3"');
		expect(
			() => new Server({ tls: { cert, key, caa: cert } as ServerTls }),
		).toThrow("tls.caa: is not an option; did you mean ca?");
	});
});

describe("mutual TLS", () => {
	const tls = { ...pems(serverIdentity), ca: authority.certificate };

	test("shows the client's certificate to handlers", async () => {
		const port = await listening(tls);
		expect(await callAt(port, pems(clientIdentity))).toBe("CN=client");
	});

	test("refuses a client without a certificate, and one whose certificate another authority has signed", async () => {
		const port = await listening(tls);
		await expect(callAt(port, {})).rejects.toThrow();
		await expect(callAt(port, pems(stranger))).rejects.toThrow();
	});

	test("accepts clients of each of several authorities", async () => {
		const ca = [authority.certificate + stranger.certificate];
		const port = await listening({ ...tls, ca });
		expect(await callAt(port, pems(clientIdentity))).toBe("CN=client");
		const theirs = makeIdentity({ commonName: "theirs", issuer: stranger });
		expect(await callAt(port, pems(theirs))).toBe("CN=theirs");
	});

	test("that is optional accepts clients without a certificate, and refuses those with a bad one", async () => {
		const port = await listening({ ...tls, clientCertificate: "optional" });
		expect(await callAt(port, {})).toBe("nobody");
		expect(await callAt(port, pems(clientIdentity))).toBe("CN=client");
		await expect(callAt(port, pems(stranger))).rejects.toThrow();
	});

	test('with clientCertificate "none" shows no certificate', async () => {
		const port = await listening({ ...tls, clientCertificate: "none" });
		expect(await callAt(port, pems(clientIdentity))).toBe("nobody");
		expect(await callAt(port, pems(stranger))).toBe("nobody");
	});

	test("needs `ca` to ask clients for certificates", () => {
		const own = pems(serverIdentity);
		for (const more of [
			{ clientCertificate: "required" },
			{ clientCertificate: "optional" },
			{ checkClientIdentity: () => undefined },
		] as const) {
			expect(() => new Server({ tls: { ...own, ...more } })).toThrow(
				/^tls\.ca: is missing; tls\.\w+ needs the authorities of the clients/,
			);
		}
	});

	test("refuses a client whose certificate has been revoked", async () => {
		const gone = issued("gone");
		const crl = makeRevocationList(authority, [gone]);
		const port = await listening({ ...tls, crl });
		await expect(callAt(port, pems(gone))).rejects.toThrow();
		expect(await callAt(port, pems(clientIdentity))).toBe("CN=client");
	});

	test("asks checkClientIdentity whether a client may connect, for example by its SPIFFE ID", async () => {
		const workload = (name: string): Identity =>
			makeIdentity({
				commonName: name,
				hosts: [`spiffe://example.org/${name}`],
				issuer: authority,
			});
		const refused: string[] = [];
		const port = await listening(
			{
				...tls,
				checkClientIdentity: ({ subjectAltName }) => {
					if (subjectAltName === undefined) throw new Error("a mistake");
					return subjectAltName === "URI:spiffe://example.org/orders"
						? undefined
						: new Error(`${subjectAltName} may not`);
				},
			},
			{ onRefused: (what) => refused.push(what) },
		);
		expect(await callAt(port, pems(workload("orders")))).toBe("CN=orders");
		await expect(callAt(port, pems(workload("other")))).rejects.toThrow();
		const nameless = makeIdentity({ commonName: "x", issuer: authority });
		await expect(callAt(port, pems(nameless))).rejects.toThrow();
		expect(refused).toEqual([
			expect.stringContaining("URI:spiffe://example.org/other may not"),
			expect.stringContaining("tls.checkClientIdentity failed: a mistake"),
		]);
		expect(await callAt(port, pems(workload("orders")))).toBe("CN=orders");
	});

	test("with rejectUnauthorized: false accepts all clients, but shows no bad certificate", async () => {
		const port = await listening({ ...tls, rejectUnauthorized: false });
		expect(await callAt(port, {})).toBe("nobody");
		expect(await callAt(port, pems(stranger))).toBe("nobody");
		expect(await callAt(port, pems(clientIdentity))).toBe("CN=client");
	});
});

describe("TLS options from a function", () => {
	test("are asked for again for each connection, and apply from then on", async () => {
		let current = pems(issued("first"));
		const port = await listening(async () => current);
		expect(await shownAt(port)).toBe("first");
		const old = connect({
			port,
			host: "127.0.0.1",
			ca: authority.certificate,
			servername: "localhost",
			ALPNProtocols: ["h2"],
		});
		await once(old, "secureConnect");
		current = pems(issued("second"));
		expect(await shownAt(port)).toBe("second");
		expect(old.destroyed).toBe(false);
		old.destroy();
	});

	test("that fail leave the last good ones in use, and reach onError", async () => {
		const onError = vi.fn();
		let answer: () => ServerTls = () => pems(serverIdentity);
		const port = await listening(() => answer() as never, { onError });
		const failures = [
			() => {
				throw new Error("no such file");
			},
			() => ({ cert: "half a file", key: "half a file" }),
		];
		for (const failure of failures) {
			answer = failure;
			expect(await shownAt(port)).toBe("server");
		}
		expect(onError.mock.calls).toEqual([
			[new Error("no such file"), { service: "", method: "" }],
			[
				expect.objectContaining({ name: "OptionError" }),
				{ service: "", method: "" },
			],
		]);
	});

	test("that fail from the start make listen reject", async () => {
		await expect(
			listening(() => Promise.reject(new Error("no such file"))),
		).rejects.toThrow("no such file");
		await expect(listening(() => ({}))).rejects.toThrow("tls.cert: is missing");
	});
});

describe("shutdown with TLS", () => {
	test("ends handshakes that are under way, and leaves no socket open", async () => {
		const port = await listening(pems(serverIdentity));
		const [server] = servers as [Server];
		const raw = connectTcp(port, "127.0.0.1");
		await once(raw, "connect");
		expect(await callAt(port, {})).toBe("nobody");
		const closed = once(raw, "close");
		raw.on("error", () => {});
		raw.resume();
		await server.shutdown();
		await closed;
	});
});
