import { createPrivateKey } from "node:crypto";
import dns from "node:dns";
import { getEventListeners, once } from "node:events";
import { createServer as createHttp1Server } from "node:https";
import net from "node:net";
import tls from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
	answer,
	type RunningServer,
	type ServerInit,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import {
	type Identity,
	makeIdentity,
	makeRevocationList,
} from "../../../testdata/peers/node/certificates.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { type Address, parseAddress } from "../../discovery/targets/address.ts";
import type { TlsOptions } from "../../tls/tls-options.ts";
import { channelOf } from "../client-object.ts";
import type { ClientOptions } from "../options/client-options.ts";
import { type Dial, dialPlaintext, tlsDialer } from "./dial.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

const authority = makeIdentity({ commonName: "test authority" });
const stranger = makeIdentity({ commonName: "unknown authority" });
const ca = authority.certificate;

function issue(...hosts: string[]): Identity {
	return makeIdentity({ commonName: "server", hosts, issuer: authority });
}

const local = issue("127.0.0.1", "localhost");
const clientIdentity = makeIdentity({
	commonName: "client",
	issuer: authority,
});

async function serving(init: ServerInit): Promise<RunningServer> {
	const server = await serveStreams((stream) => answer(stream), init);
	after.push(() => server[Symbol.asyncDispose]());
	return server;
}

const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

function client(target: string, options: ClientOptions): EchoServiceClient {
	const made = NewEchoServiceClient(target, options);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

/** The words of the UNAVAILABLE that a call ends with. */
async function whyNot(target: string, options: ClientOptions): Promise<string> {
	const error = await client(target, options)
		.echo({}, { timeoutMs: 5000 })
		.then(
			() => new Error("the call went well"),
			(error: unknown) => error,
		);
	expect(error).toBeInstanceOf(ConnectError);
	expect((error as ConnectError).code).toBe(Code.Unavailable);
	return (error as ConnectError).rawMessage;
}

function pem({ certificate, key }: Identity): { cert: string; key: string } {
	return { cert: certificate, key };
}

describe("TLS", () => {
	test("reaches a server that the given authority vouches for", async () => {
		const server = await serving({ identity: local });
		await client(server.address, { tls: { ca } }).echo({});
		await client(`https://${server.address}`, { tls: { ca } }).echo({});
		await client(`localhost:${server.port}`, { tls: { ca } }).echo({});
	});

	test("takes PEM as bytes, too", async () => {
		const server = await serving({ identity: local });
		const bytes = new TextEncoder().encode(ca);
		await client(server.address, { tls: { ca: bytes } }).echo({});
	});

	test("says https to the server, and who is meant", async () => {
		const seen = Promise.withResolvers<Record<string, unknown>>();
		const server = await serveStreams(
			(stream, headers) => {
				seen.resolve(headers);
				answer(stream);
			},
			{ identity: issue("shop.example") },
		);
		after.push(() => server[Symbol.asyncDispose]());
		await client(server.address, {
			tls: { ca },
			authority: "shop.example:8443",
		}).echo({});
		expect(await seen.promise).toMatchObject({
			":scheme": "https",
			":authority": "shop.example:8443",
		});
	});

	test("asks for the certificate of the host, by SNI, and for none by address", async () => {
		const asked: (string | false)[] = [];
		const server = tls.createServer(
			{
				...pem(local),
				ALPNProtocols: ["h2"],
				SNICallback: (name, done) => {
					asked.push(name);
					done(null);
				},
			},
			(socket) => socket.on("error", () => {}),
		);
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		after.push(() => server.close());
		const { port } = server.address() as net.AddressInfo;
		for (const name of ["localhost", "127.0.0.1"]) {
			const dial = tlsDialer(() => ({ ca }), name);
			(await dial(addressOf(`127.0.0.1:${port}`), never)).destroy();
		}
		expect(asked).toEqual(["localhost"]);
	});

	test("refuses a server of an unknown authority", async () => {
		const server = await serving({
			identity: makeIdentity({
				commonName: "server",
				hosts: ["127.0.0.1"],
				issuer: stranger,
			}),
		});
		const message = await whyNot(server.address, { tls: { ca } });
		expect(message).toContain(
			`the certificate of ${server.address} is not trusted: set tls.ca`,
		);
	});

	test("trusts only the platform's roots where none are given", async () => {
		const server = await serving({ identity: local });
		expect(await whyNot(server.address, { tls: true })).toContain(
			"is not trusted: set tls.ca",
		);
		expect(await whyNot(`https://${server.address}`, {})).toContain(
			"is not trusted: set tls.ca",
		);
	});

	test("refuses a certificate for another host", async () => {
		const server = await serving({ identity: issue("elsewhere.example") });
		const message = await whyNot(server.address, { tls: { ca } });
		expect(message).toContain(
			`the certificate of ${server.address} is not for "127.0.0.1": set \`authority\` or \`tls.servername\``,
		);
	});

	test("refuses an expired certificate", async () => {
		const dayMs = 86_400_000;
		const server = await serving({
			identity: makeIdentity({
				commonName: "server",
				hosts: ["127.0.0.1"],
				issuer: authority,
				notBefore: new Date(Date.now() - 2 * dayMs),
				notAfter: new Date(Date.now() - dayMs),
			}),
		});
		expect(await whyNot(server.address, { tls: { ca } })).toContain("expired");
	});

	test.each<[string, ClientOptions]>([
		["authority", { tls: { ca }, authority: "shop.example" }],
		["authority with a port", { tls: { ca }, authority: "shop.example:443" }],
		["tls.servername", { tls: { ca, servername: "shop.example" } }],
		[
			"tls.servername before authority",
			{
				tls: { ca, servername: "shop.example" },
				authority: "other.example",
			},
		],
	])("takes the name to check from %s", async (_, options) => {
		const server = await serving({ identity: issue("shop.example") });
		await client(server.address, options).echo({});
	});

	test.each<[string, TlsOptions["ca"]]>([
		["a list", [stranger.certificate, ca]],
		["a bundle with comments", `# one\n${stranger.certificate}\n# two\n${ca}`],
		["a bundle as bytes", Buffer.from(stranger.certificate + ca)],
		["a list of bundles", [stranger.certificate + ca, Buffer.from(ca)]],
	])("trusts each of several authorities, in %s", async (_, several) => {
		for (const issuer of [authority, stranger]) {
			const server = await serving({
				identity: makeIdentity({
					commonName: "server",
					hosts: ["127.0.0.1"],
					issuer,
				}),
			});
			await client(server.address, { tls: { ca: several } }).echo({});
		}
	});

	test("speaks no version before the one that is asked for", async () => {
		const server = tls.createServer(
			{ ...pem(local), ALPNProtocols: ["h2"], maxVersion: "TLSv1.2" },
			(socket) => socket.on("error", () => {}),
		);
		server.on("tlsClientError", () => {});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		after.push(() => server.close());
		const { port } = server.address() as net.AddressInfo;
		const dial = (minVersion: "TLSv1.2" | "TLSv1.3"): Promise<net.Socket> =>
			tlsDialer(() => ({ ca, minVersion }), "localhost")(
				addressOf(`127.0.0.1:${port}`),
				never,
			);
		(await dial("TLSv1.2")).destroy();
		await expect(dial("TLSv1.3")).rejects.toThrow(
			/have no TLS version in common: .* tls\.minVersion/,
		);
	});

	test("refuses a certificate that its authority has revoked", async () => {
		const gone = issue("127.0.0.1");
		const lists = [gone, issue("127.0.0.1")].map((revoked) =>
			makeRevocationList(authority, [revoked]),
		);
		const server = await serving({ identity: gone });
		const [its, other] = lists as [string, string];
		await client(server.address, { tls: { ca, crl: other } }).echo({});
		expect(await whyNot(server.address, { tls: { ca, crl: [its] } })).toContain(
			"is revoked: a list in tls.crl names it",
		);
		const strangers = makeRevocationList(stranger, []);
		expect(
			await whyNot(server.address, { tls: { ca, crl: strangers } }),
		).toContain(
			"tls.crl needs a list of each certificate authority in its chain",
		);
	});

	test("asks a function who the server is, where one is given: a SPIFFE ID", async () => {
		const server = await serving({
			identity: issue("spiffe://example.org/payment"),
		});
		const asked: string[] = [];
		const spiffe =
			(id: string): TlsOptions["checkServerIdentity"] =>
			(name, certificate) => {
				asked.push(name);
				return certificate.subjectaltname?.split(", ").includes(`URI:${id}`)
					? undefined
					: new Error(`it is not ${id}`);
			};
		const right = spiffe("spiffe://example.org/payment");
		await client(server.address, {
			tls: { ca, checkServerIdentity: right },
		}).echo({});
		expect(asked).toEqual(["127.0.0.1"]);
		const wrong = spiffe("spiffe://example.org/shipping");
		expect(
			await whyNot(server.address, {
				tls: { ca, checkServerIdentity: wrong },
			}),
		).toContain(
			"tls.checkServerIdentity refused the certificate: it is not spiffe://example.org/shipping",
		);
	});

	test.each<[string, () => Error | undefined, string]>([
		[
			"throws",
			() => {
				throw new Error("a mistake");
			},
			"a mistake",
		],
		["returns false", () => false as never, "returned false"],
		["returns a promise", async () => {}, "an object of class Promise"],
		[
			"returns a promise that rejects",
			async () => Promise.reject(new Error("later")),
			"an object of class Promise",
		],
	] as never)(
		"refuses the server where that function %s, and lives",
		async (_, checkServerIdentity, words) => {
			const server = await serving({ identity: local });
			expect(
				await whyNot(server.address, { tls: { ca, checkServerIdentity } }),
			).toContain(words);
		},
	);

	test("trusts nobody whose authority is not, whatever that function says", async () => {
		const server = await serving({
			identity: makeIdentity({ commonName: "server", issuer: stranger }),
		});
		const tls = { ca, checkServerIdentity: () => undefined };
		expect(await whyNot(server.address, { tls })).toContain("is not trusted");
	});

	test("checks nothing where that is asked for by name", async () => {
		const server = await serving({
			identity: makeIdentity({ commonName: "self", hosts: ["x.example"] }),
		});
		const tls = { rejectUnauthorized: false };
		await client(server.address, { tls }).echo({});
	});
});

describe("mutual TLS", () => {
	test("shows the client's certificate", async () => {
		const seen = Promise.withResolvers<unknown>();
		const server = await serveStreams(
			(stream) => {
				const socket = stream.session?.socket as tls.TLSSocket;
				seen.resolve(socket.getPeerCertificate().subject);
				answer(stream);
			},
			{ identity: local, clients: authority },
		);
		after.push(() => server[Symbol.asyncDispose]());
		const tls = { ca, ...pem(clientIdentity) };
		await client(server.address, { tls }).echo({});
		expect(await seen.promise).toMatchObject({ CN: "client" });
	});

	test("without one is refused, and says what to set", async () => {
		const server = await serving({ identity: local, clients: authority });
		expect(await whyNot(server.address, { tls: { ca } })).toContain(
			`${server.address} asks for a client certificate: set tls.cert and tls.key`,
		);
	});

	test("with one of another authority is refused", async () => {
		const server = await serving({ identity: local, clients: authority });
		const wrong = makeIdentity({ commonName: "client", issuer: stranger });
		const tls = { ca, ...pem(wrong) };
		const why = await whyNot(server.address, { tls });
		expect(why).toMatch(/turned (away )?the client('s certificate| away)/);
		expect(why).not.toContain("without `tls`");
	});

	test.each<[string, TlsOptions, string]>([
		[
			"a certificate that is none",
			{ ca, cert: "nonsense", key: local.key },
			"tls.cert: holds no certificate in PEM",
		],
		[
			"a key that fits not",
			{ ca, cert: local.certificate, key: stranger.key },
			"tls.key: does not belong to the first certificate of tls.cert",
		],
		[
			"a path",
			{ ca: "/etc/ssl/ca.pem" },
			'tls.ca: "/etc/ssl/ca.pem" is a path: read the file',
		],
		[
			"an authority that cannot be read among good ones",
			{ ca: [ca, `${ca}${broken}`] },
			"tls.ca[1]: certificate 2 of 2 cannot be read",
		],
	])("with %s is refused at construction", (_, tls, words) => {
		expect(() => NewEchoServiceClient("h:1", { tls })).toThrow(words);
	});

	test("with a key that is encrypted, and its passphrase", async () => {
		const server = await serving({ identity: local, clients: authority });
		const { cert, key } = pem(clientIdentity);
		const encrypted = createPrivateKey(key).export({
			type: "pkcs8",
			format: "pem",
			cipher: "aes-256-cbc",
			passphrase: "open sesame",
		});
		const tls = { ca, cert, key: encrypted, passphrase: "open sesame" };
		await client(server.address, { tls }).echo({});
	});
});

describe("a function for the TLS options", () => {
	test("hears where the connection goes, for names that differ from address to address", async () => {
		const server = await serving({ identity: issue("shop.example") });
		const asked: string[] = [];
		await client(server.address, {
			tls: (address) => {
				asked.push(address);
				return { ca, servername: "shop.example" };
			},
		}).echo({});
		expect(asked).toEqual([server.address]);
	});

	test("is asked again for each connection", async () => {
		const server = await serving({ identity: local, clients: authority });
		const other = makeIdentity({ commonName: "later", issuer: authority });
		const names: unknown[] = [];
		let asked = 0;
		const echo = client(server.address, {
			tls: async () => {
				asked += 1;
				return { ca, ...pem(asked === 1 ? clientIdentity : other) };
			},
		});
		for (let i = 0; i < 2; i++) {
			await echo.echo({});
			const [session] = server.sessions;
			const socket = session?.socket as tls.TLSSocket;
			names.push(socket.getPeerCertificate().subject.CN);
			const lost = new Promise((resolve) =>
				channelOf(echo)?.onStateChange(resolve),
			);
			server.cut();
			await lost;
		}
		expect(names).toEqual(["client", "later"]);
	});

	test.each<[string, () => TlsOptions | Promise<TlsOptions>]>([
		[
			"throws",
			() => {
				throw new Error("no such file");
			},
		],
		["rejects", () => Promise.reject(new Error("no such file"))],
	])("that %s is a failed connection, which is tried again", async (_, tls) => {
		const server = await serving({ identity: local });
		expect(await whyNot(server.address, { tls })).toContain("no such file");
	});

	test("that gives bad ones fails the connection, naming them", async () => {
		const server = await serving({ identity: local });
		for (const [given, message] of [
			[{ ca, key: local.key }, "tls().cert: is missing beside tls().key"],
			[{ certificate: ca }, "tls().certificate: is not an option"],
			[undefined, "tls(): undefined is not an object"],
			[{ ca: "ca.pem" }, 'tls().ca: "ca.pem" is a path: read the file'],
			[{ ca: [ca, broken] }, "tls().ca[1]: its certificate cannot be read"],
		] as const) {
			const tls = (): TlsOptions => given as TlsOptions;
			expect(await whyNot(server.address, { tls })).toContain(message);
		}
	});

	test("that never answers is given up after the connect timeout", async () => {
		const server = await serving({ identity: local });
		const message = await whyNot(server.address, {
			tls: () => new Promise(() => {}),
			connectTimeout: "0.05s",
		});
		expect(message).toContain("connect timeout: waited 50 ms");
	});
});

describe("a mismatch", () => {
	test("of TLS with a plaintext server says so", async () => {
		const server = await serving({});
		expect(await whyNot(server.address, { tls: { ca } })).toMatch(
			new RegExp(
				`${server.address} does not speak TLS: is it a plaintext server\\? \\([a-z ]+\\)$`,
			),
		);
	});

	test("of TLS with a server that hangs up names the server", async () => {
		const server = net.createServer((socket) => socket.end());
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		after.push(() => server.close());
		const { port } = server.address() as net.AddressInfo;
		expect(await whyNot(`127.0.0.1:${port}`, { tls: { ca } })).toContain(
			`127.0.0.1:${port} closed the connection during the TLS handshake`,
		);
	});

	test("of ciphers is told in words, not as OpenSSL has it", async () => {
		const server = tls.createServer({
			...pem(local),
			maxVersion: "TLSv1.2",
			ciphers: "AES128-SHA",
		});
		server.on("tlsClientError", () => {});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		after.push(() => server.close());
		const { port } = server.address() as net.AddressInfo;
		expect(
			await whyNot(`127.0.0.1:${port}`, { tls: { ca, minVersion: "TLSv1.3" } }),
		).not.toMatch(/SSL routines|deps\/openssl/);
	});

	test("of plaintext with a TLS server says what that may be", async () => {
		const server = await serving({ identity: local });
		expect(await whyNot(server.address, {})).toMatch(
			new RegExp(`${server.address} .*a server with TLS needs the option`),
		);
	});

	test("with an HTTP/1.1 server over TLS says so", async () => {
		const server = createHttp1Server(pem(local), (_request, response) =>
			response.end("hello"),
		).listen(0, "127.0.0.1");
		await once(server, "listening");
		after.push(() => {
			server.closeAllConnections();
			server.close();
		});
		const { port } = server.address() as net.AddressInfo;
		expect(await whyNot(`127.0.0.1:${port}`, { tls: { ca } })).toMatch(
			/does not offer HTTP\/2 by ALPN|is it an HTTP\/1\.1 server/,
		);
	});

	test("with a server that knows nothing of ALPN says so", async () => {
		const server = tls.createServer(pem(local), (socket) => {
			socket.on("error", () => {});
			socket.resume();
		});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		after.push(() => server.close());
		const { port } = server.address() as net.AddressInfo;
		expect(await whyNot(`127.0.0.1:${port}`, { tls: { ca } })).toContain(
			"speaks TLS but does not offer HTTP/2 by ALPN",
		);
	});

	test("with a TCP server that says nothing ends after the connect timeout, over TLS and without", async () => {
		const sockets = new Set<net.Socket>();
		const server = net.createServer((socket) => sockets.add(socket));
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		after.push(() => {
			for (const socket of sockets) socket.destroy();
			server.close();
		});
		const { port } = server.address() as net.AddressInfo;
		const address = `127.0.0.1:${port}`;
		const connectTimeout = "0.1s";
		expect(await whyNot(address, { connectTimeout })).toContain(
			`connect timeout: waited 100 ms for ${address} to send its HTTP/2 SETTINGS`,
		);
		expect(await whyNot(address, { connectTimeout, tls: { ca } })).toContain(
			`connect timeout: waited 100 ms for ${address} to accept the connection and answer the TLS handshake`,
		);
	});
});

function addressOf(text: string): Address {
	return parseAddress(text, "address");
}

const never = new AbortController().signal;

describe("a dial", () => {
	const dials: [string, Dial][] = [
		["plaintext", dialPlaintext],
		["TLS", tlsDialer(() => ({ ca }), "localhost")],
	];

	test.each(dials)(
		"of %s rejects with the signal's reason when it fires, and leaves no socket",
		async (_, dial) => {
			const hungUp = Promise.withResolvers<void>();
			const accepted = Promise.withResolvers<void>();
			const server = net.createServer((socket) => {
				accepted.resolve();
				socket.on("error", () => {});
				socket.resume().on("close", () => hungUp.resolve());
			});
			server.listen(0, "127.0.0.1");
			await once(server, "listening");
			after.push(() => server.close());
			const { port } = server.address() as net.AddressInfo;
			const abort = new AbortController();
			const dialled = dial(addressOf(`127.0.0.1:${port}`), abort.signal);
			await accepted.promise;
			const reason = new Error("no longer wanted");
			abort.abort(reason);
			const outcome = await dialled.catch((error: unknown) => error);
			if (outcome instanceof net.Socket) outcome.destroy();
			else expect(outcome).toBe(reason);
			await hungUp.promise;
		},
	);

	test.each(dials)(
		"of %s sends without delay, and forgets its signal",
		async (kind, dial) => {
			const server = await serving(kind === "TLS" ? { identity: local } : {});
			const noDelay = vi.spyOn(net.Socket.prototype, "setNoDelay");
			after.push(() => noDelay.mockRestore());
			const { signal } = new AbortController();
			const socket = await dial(addressOf(server.address), signal);
			after.push(() => socket.destroy());
			expect(noDelay.mock.contexts).toContain(socket);
			expect(noDelay).toHaveBeenCalledWith(true);
			expect(getEventListeners(signal, "abort")).toEqual([]);
		},
	);

	test.each(dials)(
		"of %s rejects at once where the signal has fired",
		async (_, dial) => {
			const reason = new Error("no longer wanted");
			const dialled = dial(addressOf("127.0.0.1:1"), AbortSignal.abort(reason));
			await expect(dialled).rejects.toBe(reason);
		},
	);

	test.each(dials)("of %s rejects with what went wrong", async (_, dial) => {
		const dialled = dial(addressOf("127.0.0.1:1"), never);
		await expect(dialled).rejects.toThrow("connect ECONNREFUSED 127.0.0.1:1");
		const nowhere = dial(addressOf("unix:/nowhere/x.sock"), never);
		await expect(nowhere).rejects.toThrow("ENOENT");
	});

	test.each(dials)(
		"of %s to a name of several addresses that all refuse names each",
		async (_, dial) => {
			const lookup = vi.spyOn(dns, "lookup");
			after.push(() => lookup.mockRestore());
			lookup.mockImplementation(((
				_name: string,
				_options: object,
				done: (error: null, addresses: object[]) => void,
			) =>
				done(null, [
					{ address: "127.0.0.1", family: 4 },
					{ address: "127.0.0.2", family: 4 },
				])) as never);
			const dialled = dial(addressOf("two.example:1"), never);
			await expect(dialled).rejects.toThrow(
				/ECONNREFUSED 127\.0\.0\.1:1; .*ECONNREFUSED 127\.0\.0\.2:1/,
			);
		},
	);

	test.each(dials)("of %s to a name that is none says so", async (_, dial) => {
		const dialled = dial(addressOf("no-such-host.invalid:1"), never);
		await expect(dialled).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
	});
});
