/** HTTP/2 servers on `node:http2`, whose connections a test can watch and cut off. */

import { once } from "node:events";
import http2, {
	type IncomingHttpHeaders,
	type ServerHttp2Session,
	type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { compressionGzip, connectNodeAdapter } from "@connectrpc/connect-node";
import type { Identity } from "../peers/node/certificates.ts";

export interface ServerInit {
	readonly settings?: http2.Settings;
	/** The port, or the path of a Unix socket. Default: a free port. */
	readonly at?: number | string;
	/** TLS. If `clients` is given, clients need a certificate signed by it. */
	readonly identity?: Identity;
	readonly clients?: Identity;
}

export interface RunningServer extends AsyncDisposable {
	/** Its address: "127.0.0.1:port". */
	readonly address: string;
	readonly port: number;
	/** The open connections. */
	readonly sessions: ReadonlySet<ServerHttp2Session>;
	/** How many connections were accepted. */
	readonly accepted: number;
	/** Resolves with the next connection. */
	connection(): Promise<ServerHttp2Session>;
	/** Destroys all connections. */
	cut(): void;
}

/** Starts a server that calls `answer` with each stream. */
export function serveStreams(
	onStream: (
		stream: ServerHttp2Stream,
		headers: IncomingHttpHeaders,
		raw: readonly string[],
	) => void,
	init: ServerInit = {},
): Promise<RunningServer> {
	const server = newServer(init);
	const listener = (
		stream: ServerHttp2Stream,
		headers: IncomingHttpHeaders,
		_flags: number,
		raw: readonly string[],
	): void => {
		stream.on("error", () => {});
		onStream(stream, headers, raw);
	};
	(server as http2.Http2Server).on("stream", listener);
	return running(server, init);
}

/** Serves implementations with connect-node's adapter. */
export function serveRoutes(
	routes: (router: ConnectRouter) => unknown,
	init: ServerInit & { readonly gzip?: boolean } = {},
): Promise<RunningServer> {
	const handler = connectNodeAdapter({
		routes: (router) => void routes(router),
		acceptCompression: [compressionGzip],
		compressMinBytes: init.gzip ? 1024 : Number.MAX_SAFE_INTEGER,
		grpcWeb: false,
		connect: false,
	});
	const server = newServer(init);
	server.on("request", handler);
	return running(server, init);
}

type Http2Server = http2.Http2Server | http2.Http2SecureServer;

function newServer({
	settings = {},
	identity,
	clients,
}: ServerInit): Http2Server {
	const options = { settings, maxSessionMemory: 1000 };
	if (identity === undefined) return http2.createServer(options);
	return http2.createSecureServer({
		...options,
		cert: identity.certificate,
		key: identity.key,
		...(clients !== undefined && {
			ca: clients.certificate,
			requestCert: true,
			rejectUnauthorized: true,
		}),
	});
}

async function running(
	server: Http2Server,
	{ at = 0 }: ServerInit,
): Promise<RunningServer> {
	const sessions = new Set<ServerHttp2Session>();
	let accepted = 0;
	server.on("session", (session) => {
		accepted += 1;
		sessions.add(session);
		session.on("error", () => {});
		session.once("close", () => sessions.delete(session));
	});
	if (typeof at === "string") server.listen(at);
	else server.listen(at, "127.0.0.1");
	await once(server, "listening");
	const port =
		typeof at === "string" ? 0 : (server.address() as AddressInfo).port;
	const cut = (): void => {
		for (const session of sessions) session.destroy();
	};
	return {
		address: typeof at === "string" ? `unix:${at}` : `127.0.0.1:${port}`,
		port,
		sessions,
		get accepted() {
			return accepted;
		},
		connection: async () => (await once(server, "session"))[0],
		cut,
		async [Symbol.asyncDispose]() {
			const closed = once(server, "close");
			server.close();
			cut();
			await closed;
		},
	};
}

/** A message with its length prefix. */
export function frame(payload: Uint8Array | string = "", flag = 0): Buffer {
	const bytes = Buffer.from(payload);
	const prefix = Buffer.alloc(5);
	prefix.writeUInt8(flag, 0);
	prefix.writeUInt32BE(bytes.length, 1);
	return Buffer.concat([prefix, bytes]);
}

/** Sends response headers. */
export function respond(
	stream: ServerHttp2Stream,
	headers: http2.OutgoingHttpHeaders = {},
): void {
	stream.respond(
		{ ":status": 200, "content-type": "application/grpc", ...headers },
		{ waitForTrailers: true },
	);
}

/** Ends a response with trailers. */
export function finish(
	stream: ServerHttp2Stream,
	trailers: http2.OutgoingHttpHeaders = { "grpc-status": 0 },
): void {
	stream.once("wantTrailers", () => stream.sendTrailers(trailers));
	stream.end();
}

/** Sends a complete response with one message, which is empty by default. */
export function answer(
	stream: ServerHttp2Stream,
	message: Uint8Array | string = "",
	trailers?: http2.OutgoingHttpHeaders,
): void {
	respond(stream);
	stream.write(frame(message));
	finish(stream, trailers);
}

/** Sends a Trailers-Only response. */
export function refuse(
	stream: ServerHttp2Stream,
	status: number,
	message = "",
	more: http2.OutgoingHttpHeaders = {},
): void {
	stream.respond(
		{
			":status": 200,
			"content-type": "application/grpc",
			"grpc-status": status,
			"grpc-message": message,
			...more,
		},
		{ endStream: true },
	);
}
