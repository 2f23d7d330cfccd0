/**
 * A server that can be killed, stopped and restarted: `node server-process.ts BEHAVIOUR PORT`. It sends its port to the parent
 * process, and receives how slow it should be.
 */

import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "../src/server.ts";
import { Shop } from "./gen/faults_pb.ts";

export type Behaviour =
	| "good"
	/** Works well, but allows few streams per connection. */
	| "narrow"
	| "refusing"
	| "resetting"
	| "silent"
	/** Closes a connection after that many requests, as nginx does (`keepalive_requests`). */
	| "200 requests a connection"
	/** Closes each connection after that time. */
	| "100 ms a connection";

/** The stream limit of a "narrow" server. */
const FEW_STREAMS = 10;

export interface Told {
	/** How long each answer takes, in milliseconds. */
	readonly delayMs: number;
}

const [, , behaviour, port] = process.argv;
let delayMs = 5;
process.on("message", (told: Told) => {
	delayMs = told.delayMs;
});
// Only the server keeps the process alive.
process.channel?.unref();
process.send?.({
	port:
		behaviour === "good" || behaviour === "narrow"
			? await serve()
			: await misbehave(),
});

async function serve(): Promise<number> {
	const server = new Server({
		handleSignals: true,
		...(behaviour === "narrow" && { maxConcurrentStreams: FEW_STREAMS }),
	});
	server.add(Shop, {
		look: async () => {
			await sleep(delayMs);
			return { server: String(process.pid) };
		},
	});
	return (await server.listen(`127.0.0.1:${port}`)).port;
}

/**
 * Starts a server that misbehaves: it sends nothing ("silent"), refuses every stream ("refusing"), resets each stream after its
 * response headers ("resetting"), or answers but closes its connections with GOAWAY ("… a connection").
 */
async function misbehave(): Promise<number> {
	const { NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR } = http2.constants;
	const server =
		behaviour === "silent" ? net.createServer() : http2.createServer();
	server.on("stream", (stream) => {
		stream.on("error", () => {});
		if (behaviour === "refusing") {
			stream.close(NGHTTP2_REFUSED_STREAM);
			return;
		}
		if (behaviour?.endsWith("a connection")) {
			answer(stream);
			return;
		}
		stream.respond({ ":status": 200, "content-type": "application/grpc" });
		stream.write(Buffer.from([0, 0, 0, 0]), () =>
			stream.close(NGHTTP2_INTERNAL_ERROR),
		);
	});
	server.on("session", (session: http2.ServerHttp2Session) => {
		session.on("error", () => {});
		if (behaviour === "100 ms a connection") {
			setTimeout(() => session.close(), 100);
		} else if (behaviour === "200 requests a connection") {
			let requests = 0;
			session.on("stream", () => {
				if (++requests === 200) session.close();
			});
		}
	});
	const { promise, resolve } = Promise.withResolvers<void>();
	server.listen(Number(port), "127.0.0.1", resolve);
	await promise;
	return (server.address() as AddressInfo).port;
}

/** Answers with an empty message, after the delay. */
function answer(stream: http2.ServerHttp2Stream): void {
	setTimeout(() => {
		if (stream.destroyed) return;
		stream.respond(
			{ ":status": 200, "content-type": "application/grpc" },
			{ waitForTrailers: true },
		);
		stream.on("wantTrailers", () =>
			stream.sendTrailers({ "grpc-status": "0" }),
		);
		stream.end(Buffer.alloc(5));
	}, delayMs);
}
