/** A server to be killed, stopped and restarted: `node server-process.ts BEHAVIOUR PORT`. It tells its port, and is told to be slow. */

import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "../src/server.ts";
import { Shop } from "./gen/faults_pb.ts";

export type Behaviour =
	| "good"
	/** Good, with few streams a connection. */
	| "narrow"
	| "refusing"
	| "resetting"
	| "silent"
	/** Takes so many requests on a connection, as nginx does (`keepalive_requests`). */
	| "200 requests a connection"
	/** Ends each connection that soon after it was made. */
	| "100 ms a connection";

/** Of a "narrow" one. */
const FEW_STREAMS = 10;

export interface Told {
	/** Milliseconds that each answer takes. */
	readonly delayMs: number;
}

const [, , behaviour, port] = process.argv;
let delayMs = 5;
process.on("message", (told: Told) => {
	delayMs = told.delayMs;
});
// What keeps it alive is its server alone.
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
 * Accepts connections and says nothing; or turns every stream away unseen; or breaks each off after its response headers; or
 * answers, and ends its connections by GOAWAY.
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

/** An empty message, after a while. */
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
