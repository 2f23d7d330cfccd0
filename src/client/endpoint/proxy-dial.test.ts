import { once } from "node:events";
import net from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ConnectProxy } from "../../../testdata/harness/connect-proxy.ts";
import {
	answer,
	type RunningServer,
	type ServerInit,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { makeIdentity } from "../../../testdata/peers/node/certificates.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { staticResolver } from "../../discovery/static.ts";
import type { Target } from "../new-client.ts";
import type { ClientOptions } from "../options/client-options.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
	vi.unstubAllEnvs();
});

const authority = makeIdentity({ commonName: "test authority" });
const ca = authority.certificate;
const identity = makeIdentity({
	commonName: "server",
	hosts: ["shop.example"],
	issuer: authority,
});

async function serving(init: ServerInit = {}): Promise<RunningServer> {
	const server = await serveStreams((stream) => answer(stream), init);
	after.push(() => server[Symbol.asyncDispose]());
	return server;
}

/** A name that only the proxy knows. */
const NAME = "shop.example:50051";

async function proxyTo(server: { address: string }): Promise<ConnectProxy> {
	const proxy = await ConnectProxy.start({
		[NAME]: server.address,
		[server.address]: server.address,
	});
	after.push(() => proxy[Symbol.asyncDispose]());
	return proxy;
}

function client(
	target: Target,
	options: ClientOptions = {},
): EchoServiceClient {
	const made = NewEchoServiceClient(target, options);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

/** The words of the UNAVAILABLE that a call ends with. */
async function whyNot(target: Target, options: ClientOptions): Promise<string> {
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

describe("through a proxy", () => {
	test.each(["grpc_proxy", "https_proxy", "http_proxy"])(
		"of the environment's %s a server is called by its name, which nobody resolves here",
		async (variable) => {
			const proxy = await proxyTo(await serving());
			vi.stubEnv(variable, `http://${proxy.address}`);
			const echo = client(NAME);
			await echo.echo({});
			await echo.echo({});
			expect(proxy.asked).toEqual([
				{ line: `CONNECT ${NAME} HTTP/1.1`, fields: { host: NAME } },
			]);
		},
	);

	test.each([NAME, `dns:///${NAME}`, `http://${NAME}`])(
		"of the option %s is called",
		async (target) => {
			const proxy = await proxyTo(await serving());
			await client(target, { proxy: `http://${proxy.address}` }).echo({});
			expect(proxy.asked).toHaveLength(1);
		},
	);

	test("the environment is read when the channel is made", async () => {
		const proxy = await proxyTo(await serving());
		vi.stubEnv("http_proxy", proxy.address);
		const echo = client(NAME);
		vi.stubEnv("http_proxy", "http://127.0.0.1:1");
		await echo.echo({});
	});

	test("a bad URL in the environment is refused when the channel is made", () => {
		vi.stubEnv("https_proxy", "ftp://proxy");
		expect(() => NewEchoServiceClient(NAME)).toThrow(/^https_proxy: /);
		expect(() => NewEchoServiceClient(NAME, { proxy: "x y" })).toThrow(
			/^proxy: /,
		);
	});

	test("TLS is spoken with the server, by its name", async () => {
		const proxy = await proxyTo(await serving({ identity }));
		const options = { proxy: proxy.address };
		await client(NAME, { ...options, tls: { ca } }).echo({});
		await client(`https://${NAME}`, { ...options, tls: { ca } }).echo({});
		expect(
			await whyNot(NAME, {
				...options,
				tls: { ca },
				authority: "other.example",
			}),
		).toContain(`the certificate of ${NAME} is not for "other.example"`);
	});

	test("addresses of a resolver go where the option is set, and only there", async () => {
		const server = await serving();
		const proxy = await proxyTo(server);
		const resolver = staticResolver([server.address]);
		vi.stubEnv("http_proxy", proxy.address);
		await client(resolver).echo({});
		await client(server.address).echo({});
		expect(proxy.asked).toEqual([]);
		await client(resolver, { proxy: proxy.address }).echo({});
		expect(proxy.asked.map(({ line }) => line)).toEqual([
			`CONNECT ${server.address} HTTP/1.1`,
		]);
	});

	test("user and password of the URL are shown to it", async () => {
		const proxy = await proxyTo(await serving());
		await client(NAME, { proxy: `http://ada:p%40ss@${proxy.address}` }).echo(
			{},
		);
		expect(proxy.asked[0]?.fields["proxy-authorization"]).toBe(
			`Basic ${Buffer.from("ada:p@ss").toString("base64")}`,
		);
	});

	test.each<[string, ServerInit]>([
		["plaintext", {}],
		["TLS", { identity }],
	])(
		"what the server says at once, behind the answer, is kept: %s",
		async (kind, init) => {
			const server = await serving(init);
			const proxy = await proxyTo(server);
			// A TLS server speaks second.
			proxy.joined = kind === "plaintext";
			const tls = kind === "TLS" ? { ca } : false;
			await client(NAME, { proxy: proxy.address, tls }).echo({});
		},
	);

	test("an answer in single bytes is one, too", async () => {
		const server = await serving();
		const proxy = net.createServer((near) => {
			near.on("error", () => {});
			near.once("data", async () => {
				near.setNoDelay(true);
				for (const byte of "HTTP/1.0 200 OK\r\nX: y\r\n\r\n") {
					near.write(byte);
					await new Promise((resolve) => setImmediate(resolve));
				}
				const far = net.connect(server.port, "127.0.0.1");
				far.on("error", () => {});
				near.once("close", () => far.destroy());
				near.pipe(far).pipe(near);
			});
		});
		proxy.listen(0, "127.0.0.1");
		await once(proxy, "listening");
		after.push(() => proxy.close());
		const { port } = proxy.address() as net.AddressInfo;
		await client(NAME, { proxy: `127.0.0.1:${port}` }).echo({});
	});

	test("it is dialed again once a connection is lost", async () => {
		const server = await serving();
		const proxy = await proxyTo(server);
		const echo = client(NAME, { proxy: proxy.address });
		await echo.echo({});
		server.cut();
		await echo.echo({}, { waitForReady: true });
		expect(proxy.asked).toHaveLength(2);
	});
});

describe("a proxy that does not lead there is named, with what it said:", () => {
	test.each<[string, string]>([
		[
			"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
			'answered "407 Proxy Authentication Required": set user and password in its URL',
		],
		["HTTP/1.1 403 Forbidden\r\n\r\n", 'answered "403 Forbidden"'],
		["HTTP/1.1 204 No Content\r\n\r\n", 'answered "204 No Content"'],
		["HTTP/1.1 405 Method Not Allowed\r\n\r\n", "that knows CONNECT?"],
		[
			"HTTP/1.1 200\r\nX: y\r\n",
			"closed the connection before it had answered",
		],
		["SSH-2.0-OpenSSH_9.6\r\n", 'did not answer in HTTP/1: "SSH-2.0-'],
		[`HTTP/1.1 200 OK\r\nX: ${"x".repeat(17_000)}`, "more than 16384 bytes"],
	])("%j", async (words, message) => {
		const proxy = await proxyTo(await serving());
		proxy.answer = words;
		const closing = words.endsWith("y\r\n");
		const failure = whyNot(NAME, {
			proxy: `http://ada:secret@${proxy.address}`.replace(
				words.includes("407") ? "ada:secret@" : "",
				"",
			),
		});
		if (closing) {
			await vi.waitFor(() => expect(proxy.asked).not.toEqual([]));
			proxy.end();
		}
		const why = await failure;
		expect(why).toContain(
			`the proxy http://${proxy.address}, asked for ${NAME}`,
		);
		expect(why).toContain(message);
		expect(why).not.toContain("secret");
		await vi.waitFor(() => expect(proxy.open).toBe(0));
	});

	test("user and password that it does not take", async () => {
		const proxy = await proxyTo(await serving());
		proxy.answer = "HTTP/1.1 407 No\r\n\r\n";
		vi.stubEnv("https_proxy", `http://ada:secret@${proxy.address}`);
		const why = await whyNot(NAME, {});
		expect(why).toContain(
			`the proxy http://${proxy.address} (https_proxy), asked for ${NAME}, answered "407 No": it does not take the user and the password in its URL`,
		);
		expect(why).not.toContain("secret");
	});

	test("one that is not there", async () => {
		expect(await whyNot(NAME, { proxy: "127.0.0.1:1" })).toContain(
			"the proxy http://127.0.0.1:1 cannot be reached: connect ECONNREFUSED 127.0.0.1:1",
		);
	});

	test("one that says nothing, after the connect timeout", async () => {
		const proxy = await proxyTo(await serving());
		proxy.answer = "";
		expect(
			await whyNot(NAME, { proxy: proxy.address, connectTimeout: "0.1s" }),
		).toContain(
			`connect timeout: waited 100 ms for ${NAME} through the proxy http://${proxy.address}`,
		);
		await vi.waitFor(() => expect(proxy.open).toBe(0));
	});

	test("a server behind it that says nothing to TLS, after the connect timeout", async () => {
		const silent = net.createServer((socket) => socket.on("error", () => {}));
		silent.listen(0, "127.0.0.1");
		await once(silent, "listening");
		after.push(() => silent.close());
		const { port } = silent.address() as net.AddressInfo;
		const proxy = await proxyTo({ address: `127.0.0.1:${port}` });
		expect(
			await whyNot(NAME, {
				proxy: proxy.address,
				connectTimeout: "0.1s",
				tls: { ca },
			}),
		).toContain(`connect timeout: waited 100 ms for ${NAME} through the proxy`);
		await vi.waitFor(() => expect(proxy.open).toBe(0));
	});
});
