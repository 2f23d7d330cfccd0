import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { makeIdentity } from "../../testdata/peers/node/certificates.ts";
import { DiscoveryError } from "./discovery-error.ts";
import {
	type ApiRequest,
	excerptOf,
	HttpApi,
	type HttpApiOptions,
} from "./http-api.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

interface Serving {
	readonly port: number;
	/** The number of open connections. */
	connections(): Promise<number>;
	/** The number of connections ever accepted. */
	readonly accepted: () => number;
	readonly server: Server;
}

async function listening(server: Server, at: string): Promise<Serving> {
	let accepted = 0;
	server.on("connection", () => {
		accepted += 1;
	});
	server.listen(at.startsWith("/") ? at : { host: at, port: 0 });
	await once(server, "listening");
	after.push(async () => {
		const closed = once(server, "close");
		server.close();
		server.closeAllConnections();
		await closed;
	});
	return {
		port: (server.address() as Partial<AddressInfo>).port ?? 0,
		connections: () =>
			new Promise((resolve) =>
				server.getConnections((_, count) => resolve(count)),
			),
		accepted: () => accepted,
		server,
	};
}

function serve(handler: RequestListener, at = "127.0.0.1"): Promise<Serving> {
	return listening(createServer(handler), at);
}

/** A peer that answers each request with given bytes. */
async function serveBytes(
	...answers: readonly (string | undefined)[]
): Promise<number> {
	let asked = 0;
	const server = createTcpServer((socket) => {
		socket.on("error", () => {});
		socket.on("data", () => {
			const answer = answers[Math.min(asked, answers.length - 1)];
			asked += 1;
			if (answer === undefined) socket.destroy();
			else socket.end(answer);
		});
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	after.push(() => server.close());
	return (server.address() as AddressInfo).port;
}

function apiOf(
	origin: string | number,
	options: Omit<HttpApiOptions, "origin"> = {},
): HttpApi {
	const api = new HttpApi({
		origin: typeof origin === "number" ? `http://127.0.0.1:${origin}` : origin,
		...options,
	});
	after.push(() => api.close());
	return api;
}

const get = (more: Partial<ApiRequest> = {}): ApiRequest => ({
	path: "/v1/thing",
	timeoutMs: 10_000,
	...more,
});

/** Returns the problem and the message with which a promise rejects. */
async function failure(promise: Promise<unknown>): Promise<string> {
	const error = await promise.then(
		() => new Error("it went well"),
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(DiscoveryError);
	const { problem, message } = error as DiscoveryError;
	return `${problem}: ${message}`;
}

async function collected(lines: AsyncIterable<unknown>): Promise<unknown[]> {
	const values: unknown[] = [];
	for await (const value of lines) values.push(value);
	return values;
}

const echo: RequestListener = (request, response) => {
	const chunks: Buffer[] = [];
	request.on("data", (chunk) => chunks.push(chunk));
	request.on("end", () => {
		const { method, url, headers } = request;
		const body = Buffer.concat(chunks).toString();
		response.end(JSON.stringify({ method, url, headers, body }));
	});
};

describe("a request", () => {
	test("sends method, path, query, headers and a JSON body", async () => {
		const { port } = await serve(echo);
		let asked = 0;
		const headers = async () => ({ "x-token": `secret ${++asked}` });
		const api = apiOf(port, { headers });
		const answer = await api.json({
			method: "PUT",
			path: "/v1/a%20b",
			query: { tag: ["x&y", "z"], dc: "eu", none: undefined },
			body: { name: "é" },
			timeoutMs: 1000,
		});
		expect(answer).toMatchObject({
			status: 200,
			value: {
				method: "PUT",
				url: "/v1/a%20b?tag=x%26y&tag=z&dc=eu",
				body: '{"name":"é"}',
				headers: {
					host: `127.0.0.1:${port}`,
					"content-type": "application/json",
					"accept-encoding": "identity",
					"user-agent": expect.stringMatching(/^homing\/\d/),
					"x-token": "secret 1",
				},
			},
		});
		const again = await api.json(get());
		expect(again.value).toMatchObject({ headers: { "x-token": "secret 2" } });
	});

	test("names the API in its errors", async () => {
		const api = new HttpApi({
			origin: "http://127.0.0.1:1",
			role: "the agent",
		});
		expect(await failure(api.json(get()))).toMatch(
			"cannot reach the agent at http://127.0.0.1:1: connect ECONNREFUSED",
		);
	});

	test("resolves with the headers of the answer, and without a value if the body is empty", async () => {
		const { port } = await serve((_, response) => {
			response.setHeader("x-consul-index", "7").end();
		});
		expect(await apiOf(port).json(get())).toMatchObject({
			status: 200,
			value: undefined,
			headers: { "x-consul-index": "7" },
		});
	});

	test("reads an answer that is split anywhere, even within a character", async () => {
		const value = { zone: "日本 🏯".repeat(20) };
		const { port } = await serve(async (_, response) => {
			for (const byte of Buffer.from(JSON.stringify(value))) {
				const sent = Promise.withResolvers<void>();
				response.write(Uint8Array.of(byte), () => sent.resolve());
				await sent.promise;
				await setImmediate();
			}
			response.end();
		});
		expect((await apiOf(port).json(get())).value).toEqual(value);
	});

	test("keeps its connection for the next request", async () => {
		const { port, accepted } = await serve(echo);
		const api = apiOf(port);
		for (let n = 0; n < 3; n++) await api.json(get());
		expect(accepted()).toBe(1);
	});

	test.each(["GET", "PUT"])(
		"is sent again by %s if the kept connection has just been closed",
		async (method) => {
			const { port, server } = await serve(echo);
			const api = apiOf(port);
			await api.json(get());
			server.removeAllListeners("request");
			server.on("request", (request) => {
				request.socket.destroy();
				server.removeAllListeners("request").on("request", echo);
			});
			expect((await api.json(get({ method }))).status).toBe(200);
		},
	);

	test("is not sent again by POST, because the server may have executed it", async () => {
		const { port, server } = await serve(echo);
		const api = apiOf(port);
		await api.json(get());
		server.removeAllListeners("request");
		server.on("request", (request) => {
			request.socket.destroy();
			server.removeAllListeners("request").on("request", echo);
		});
		expect(await failure(api.json(get({ method: "POST" })))).toMatch(
			/^unreachable: .*socket hang up/,
		);
	});

	test.each([
		["http://[::1]:PORT", "::1"],
		["http://localhost:PORT", "127.0.0.1"],
		["http://127.0.0.1:PORT/gateway/", "127.0.0.1"],
	])("goes to %s", async (origin, at) => {
		const { port } = await serve(echo, at);
		const api = apiOf(origin.replace("PORT", String(port)));
		const { value } = await api.json(get());
		const prefix = origin.includes("gateway") ? "/gateway" : "";
		expect(value).toMatchObject({ url: `${prefix}/v1/thing` });
	});

	test("goes to a Unix socket", async () => {
		const directory = mkdtempSync(join(tmpdir(), "homing-api-"));
		after.push(() => rmSync(directory, { recursive: true }));
		const path = join(directory, "agent.sock");
		await serve(echo, path);
		const { value } = await apiOf(`unix:${path}`).json(get());
		expect(value).toMatchObject({ headers: { host: "localhost" } });
	});

	test.each([
		["127.0.0.1:8500", "is not the origin of an HTTP API"],
		["ftp://a:1", "is not the origin of an HTTP API"],
		["http://a:1/?x", "is not the origin of an HTTP API"],
		["http://me@a:1", "is not the origin of an HTTP API"],
		["http://a:99999", "port"],
		["unix:", "names no socket"],
	])("cannot go to %s", (origin, words) => {
		expect(() => new HttpApi({ origin })).toThrow(words);
		expect(() => new HttpApi({ origin })).toThrow("origin: ");
	});
});

describe("TLS", () => {
	const authority = makeIdentity({ commonName: "private authority" });
	const local = makeIdentity({
		commonName: "server",
		hosts: ["127.0.0.1", "agent.internal"],
		issuer: authority,
	});
	const client = makeIdentity({ commonName: "client", issuer: authority });
	const ca = authority.certificate;
	const serveTls = (mutual = false) =>
		listening(
			createTlsServer(
				{
					cert: local.certificate,
					key: local.key,
					...(mutual && { ca, requestCert: true, rejectUnauthorized: true }),
				},
				echo,
			),
			"127.0.0.1",
		);

	test("trusts a private authority, and calls the function of the options for each connection", async () => {
		const { port } = await serveTls();
		const tls = vi.fn(async () => ({ ca }));
		const api = apiOf(`https://127.0.0.1:${port}`, { tls });
		await api.json(get());
		await api.json(get());
		expect(tls).toHaveBeenCalledTimes(1);
		await Promise.all([api.json(get()), api.json(get())]);
		expect(tls).toHaveBeenCalledTimes(2);
	});

	test("checks the certificate against the given servername", async () => {
		const { port } = await serveTls();
		const at = (servername: string) =>
			apiOf(`https://127.0.0.1:${port}`, { tls: { ca, servername } });
		expect((await at("agent.internal").json(get())).status).toBe(200);
		expect(await failure(at("other.internal").json(get()))).toContain(
			'is not for "other.internal"',
		);
	});

	test("presents a client certificate if one is requested", async () => {
		const { port } = await serveTls(true);
		const { certificate: cert, key } = client;
		const api = apiOf(`https://127.0.0.1:${port}`, { tls: { ca, cert, key } });
		expect((await api.json(get())).status).toBe(200);
		const without = apiOf(`https://127.0.0.1:${port}`, { tls: { ca } });
		expect(await failure(without.json(get()))).toMatch(/^unreachable: /);
	});

	test.each([
		["of an unknown authority", {}, "is not trusted: set tls.ca"],
		["with options that are no PEM", { ca: "x" }, "cannot reach https://"],
	])("%s is refused", async (_, tls, words) => {
		const { port } = await serveTls();
		const api = apiOf(`https://127.0.0.1:${port}`, { tls });
		const message = await failure(api.json(get()));
		expect(message).toMatch(/^unreachable: /);
		expect(message).toContain(words);
	});

	test("to a plaintext server fails with an error that explains it", async () => {
		const { port } = await serve(echo);
		const api = apiOf(`https://127.0.0.1:${port}`);
		expect(await failure(api.json(get()))).toContain("does not speak TLS");
	});

	test("rejects with the error of the options", async () => {
		const { port } = await serveTls();
		const tls = () => Promise.reject(new Error("no such file"));
		const api = apiOf(`https://127.0.0.1:${port}`, { tls });
		expect(await failure(api.json(get()))).toContain("no such file");
	});
});

describe("an API that cannot be reached", () => {
	test("is named in the error, with the reason", async () => {
		const { port, server } = await serve(echo);
		server.close();
		await once(server, "close");
		after.pop();
		expect(await failure(apiOf(port).json(get()))).toBe(
			`unreachable: cannot reach http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
		);
		const named = apiOf(`http://localhost:${port}`);
		expect(await failure(named.json(get()))).toContain("ECONNREFUSED");
	});

	test("has its connection closed if the head or the body does not come in time", async () => {
		const { port, connections } = await serve((request, response) => {
			if (request.url === "/half") response.write("[");
		});
		const api = apiOf(port);
		for (const path of ["/", "/half"]) {
			const late = failure(api.json({ path, timeoutMs: 50 }));
			expect(await late).toBe(
				`unreachable: cannot reach http://127.0.0.1:${port}: no answer within 50 ms`,
			);
		}
		await expect.poll(connections).toBe(0);
	});

	test("is reported if it closes the connection without an answer", async () => {
		const port = await serveBytes(undefined);
		expect(await failure(apiOf(port).json(get()))).toMatch(
			/^unreachable: .*socket hang up/,
		);
	});
});

describe("an invalid answer", () => {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
	test.each([
		["no HTTP", "SSH-2.0-OpenSSH\r\n", "with what is not HTTP"],
		["cut off", `${head}[{"a":`, "with a body that was cut off"],
		[
			"cut off between its chunks",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n",
			"with a body that was cut off",
		],
		[
			"no JSON",
			"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
			'with what is not JSON: "<html></html>"',
		],
		[
			"cut off where only JSON tells",
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[{",
			'with what is not JSON: "[{"',
		],
	])("is %s", async (_, bytes, words) => {
		const port = await serveBytes(bytes);
		const message = await failure(apiOf(port).json(get()));
		expect(message).toMatch(
			`badAnswer: http://127.0.0.1:${port} answered GET /v1/thing ${words}`,
		);
	});

	test("is refused if it is too large, and is not read to its end", async () => {
		let written = 0;
		const { port, connections } = await serve(async (_, response) => {
			response.on("error", () => {});
			const megabyte = Buffer.alloc(1024 * 1024, " ");
			while (response.writable && !response.destroyed) {
				written += 1;
				if (!response.write(megabyte)) {
					await Promise.race([
						once(response, "drain"),
						once(response, "close"),
					]);
				}
			}
		});
		const message = await failure(apiOf(port).json(get({ maxBytes: 4 << 20 })));
		expect(message).toMatch(/^badAnswer: .* with more than 4194304 bytes$/);
		await expect.poll(connections).toBe(0);
		expect(written).toBeLessThan(100);
	});

	test("is refused if it is compressed without a request for it", async () => {
		const { port, connections } = await serve((_, response) => {
			response.setHeader("content-encoding", "gzip").end(gzipSync("[]"));
		});
		const message = await failure(apiOf(port).json(get()));
		expect(message).toMatch(
			/with the content coding gzip, which was not requested$/,
		);
		await expect.poll(connections).toBe(0);
	});
});

describe("an error status", () => {
	test.each([
		["text", "Permission  denied:\n token", "Permission denied: token"],
		["a Status", '{"kind":"Status","message":"no way"}', "no way"],
		["other JSON", '{"a":1}', '{"a":1}'],
		["nothing", "", ""],
		["a page", "x".repeat(1000), `${"x".repeat(299)}…`],
	])("is left to the caller, with an excerpt of %s", async (_, body, gist) => {
		const { port } = await serve((_, response) => {
			response.writeHead(403).end(body);
		});
		const answer = await apiOf(port).json(get());
		expect(answer).toMatchObject({ status: 403, text: body });
		expect(excerptOf(answer)).toBe(gist);
		const lines = await apiOf(port).lines({ ...get(), idleMs: 1000 });
		expect(lines).toMatchObject({ status: 403, text: body });
		expect(await collected(lines.lines)).toEqual([]);
	});
});

describe("a signal", () => {
	test("ends a request at once with its reason, and closes the connection", async () => {
		const { port, connections } = await serve(() => {});
		const abort = new AbortController();
		const api = apiOf(port);
		const answer = api.json(get({ signal: abort.signal }));
		await expect.poll(connections).toBe(1);
		const reason = new Error("changed my mind");
		abort.abort(reason);
		await expect(answer).rejects.toBe(reason);
		await expect.poll(connections).toBe(0);
	});

	test("that has already fired prevents the request", async () => {
		const { port, accepted } = await serve(echo);
		const reason = new Error("too late");
		const signal = AbortSignal.abort(reason);
		await expect(apiOf(port).json(get({ signal }))).rejects.toBe(reason);
		expect(accepted()).toBe(0);
	});

	test("also ends the wait for headers that never come", async () => {
		const { port } = await serve(echo);
		const api = apiOf(port, { headers: () => new Promise(() => {}) });
		const late = failure(api.json(get({ timeoutMs: 50 })));
		expect(await late).toContain("no answer within 50 ms");
	});

	test("has no listener left after the answer", async () => {
		const { port } = await serve(echo);
		const { signal } = new AbortController();
		const api = apiOf(port);
		await api.json(get({ signal }));
		const { lines } = await api.lines({ ...get({ signal }), idleMs: 1000 });
		await collected(lines);
		await expect.poll(() => getEventListeners(signal, "abort").length).toBe(0);
	});
});

test("closing ends running requests and fails later ones", async () => {
	const { port, connections } = await serve(() => {});
	const api = apiOf(port);
	const under = failure(api.json(get()));
	await expect.poll(connections).toBe(1);
	api.close();
	const closed = `unreachable: cannot reach http://127.0.0.1:${port}: its client has been closed`;
	expect(await under).toBe(closed);
	expect(await failure(api.json(get()))).toBe(closed);
	await expect.poll(connections).toBe(0);
});

describe("lines", () => {
	test("come one by one as they are written, however the bytes are split", async () => {
		const go = Promise.withResolvers<void>();
		const { port } = await serve(async (_, response) => {
			response.write('{"n":1}\n{"n":2}\n\n{"word":"h');
			await go.promise;
			response.write(Buffer.from("é").subarray(0, 1));
			await new Promise((resolve) => setTimeout(resolve, 20));
			response.write(Buffer.from("é").subarray(1));
			response.end('"}\r\n3');
		});
		const { status, lines } = await apiOf(port).lines({
			...get(),
			idleMs: 5000,
		});
		expect(status).toBe(200);
		const values = lines[Symbol.asyncIterator]();
		expect(await values.next()).toMatchObject({ value: { n: 1 } });
		expect(await values.next()).toMatchObject({ value: { n: 2 } });
		go.resolve();
		expect(await values.next()).toMatchObject({ value: { word: "hé" } });
		expect(await values.next()).toMatchObject({ value: 3 });
		expect(await values.next()).toMatchObject({ done: true });
	});

	test("may take longer than the timeout, as long as there is no silence", async () => {
		const { port } = await serve(async (_, response) => {
			for (let n = 0; n < 6; n++) {
				response.write(`${n}\n`);
				await new Promise((resolve) => setTimeout(resolve, 50));
			}
			response.end();
		});
		const { lines } = await apiOf(port).lines({
			...get({ timeoutMs: 200 }),
			idleMs: 2000,
		});
		expect(await collected(lines)).toEqual([0, 1, 2, 3, 4, 5]);
	});

	test("that do not come end the request", async () => {
		const { port, connections } = await serve((_, response) => {
			response.write("1\n");
		});
		const api = apiOf(port);
		const { lines } = await api.lines({ ...get(), idleMs: 50 });
		expect(await failure(collected(lines))).toBe(
			`unreachable: cannot reach http://127.0.0.1:${port}: it has sent nothing for 50 ms`,
		);
		await expect.poll(connections).toBe(0);
	});

	test("whose head does not come end the request", async () => {
		const { port, connections } = await serve(() => {});
		const api = apiOf(port);
		const asked = api.lines({ ...get({ timeoutMs: 50 }), idleMs: 5000 });
		expect(await failure(asked)).toContain("no answer within 50 ms");
		await expect.poll(connections).toBe(0);
	});

	test.each([
		["that are cut off", '1\n{"n"', /^unreachable: .*the connection was lost/],
		[
			"of no JSON",
			"1\nnope\n",
			/^badAnswer: .* with what is not JSON: "nope"$/,
		],
		["without end", `1\n${"x".repeat(200)}`, /^badAnswer: .*more than 100 byt/],
	])("%s fail", async (_, text, words) => {
		const { port } = await serve((_, response) => {
			response.write(text, () => {
				setTimeout(() => response.destroy(), 50);
			});
		});
		const { lines } = await apiOf(port).lines({
			...get({ maxBytes: 100 }),
			idleMs: 5000,
		});
		const values = lines[Symbol.asyncIterator]();
		expect(await values.next()).toMatchObject({ value: 1 });
		expect(await failure(values.next())).toMatch(words);
	});

	test("end when the iteration is left and when the signal fires", async () => {
		const { port, connections } = await serve((_, response) => {
			response.write("1\n");
		});
		const api = apiOf(port);
		const left = await api.lines({ ...get(), idleMs: 5000 });
		for await (const _ of left.lines) break;
		await expect.poll(connections).toBe(0);

		const abort = new AbortController();
		const request = { ...get({ signal: abort.signal }), idleMs: 5000 };
		const stopped = collected((await api.lines(request)).lines);
		abort.abort(new Error("enough"));
		await expect(stopped).rejects.toThrow("enough");
		await expect.poll(connections).toBe(0);
	});
});

test("a process ends by itself although a long poll and a watch are waiting", async () => {
	const { port, accepted } = await serve((request, response) => {
		if (request.url === "/quick") response.end("1");
		if (request.url === "/lines") response.write("1\n");
	});
	const module = JSON.stringify(new URL("http-api.ts", import.meta.url).href);
	const child = spawn(
		process.execPath,
		[
			"--experimental-strip-types",
			"--no-warnings",
			"--input-type=module",
			"--eval",
			`
			import { HttpApi } from ${module};
			const api = new HttpApi({ origin: "http://127.0.0.1:${port}" });
			const timeoutMs = 330_000;
			const awake = setTimeout(() => {}, 10_000);
			await api.json({ path: "/quick", timeoutMs });
			const { lines } = await api.lines({ path: "/lines", timeoutMs, idleMs: timeoutMs });
			const values = lines[Symbol.asyncIterator]();
			await values.next();
			values.next().finally(() => console.log("more lines"));
			api.json({ path: "/hang", timeoutMs }).finally(() => console.log("an answer"));
			await api.json({ path: "/quick", timeoutMs });
			clearTimeout(awake);
			console.log("done");
			`,
		],
		{ stdio: ["ignore", "pipe", "inherit"], timeout: 20_000 },
	);
	let output = "";
	child.stdout.on("data", (chunk) => {
		output += chunk;
	});
	const [code] = await once(child, "close");
	expect({ code, output }).toEqual({ code: 0, output: "done\n" });
	expect(accepted()).toBeGreaterThanOrEqual(3);
});
