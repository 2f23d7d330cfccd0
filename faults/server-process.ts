/** A server to be killed, stopped and restarted: `node server-process.ts BEHAVIOUR PORT`. It tells its port, and is told to be slow. */

import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "../src/server.ts";
import { Shop } from "./gen/faults_pb.ts";

export type Behaviour = "good" | "refusing" | "resetting" | "silent";

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
	port: behaviour === "good" ? await serve() : await misbehave(),
});

async function serve(): Promise<number> {
	const server = new Server({ handleSignals: true });
	server.add(Shop, {
		look: async () => {
			await sleep(delayMs);
			return { server: String(process.pid) };
		},
	});
	return (await server.listen(`127.0.0.1:${port}`)).port;
}

/** Accepts connections and says nothing; or turns every stream away unseen; or breaks each off after its response headers. */
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
		stream.respond({ ":status": 200, "content-type": "application/grpc" });
		stream.write(Buffer.from([0, 0, 0, 0]), () =>
			stream.close(NGHTTP2_INTERNAL_ERROR),
		);
	});
	const { promise, resolve } = Promise.withResolvers<void>();
	server.listen(Number(port), "127.0.0.1", resolve);
	await promise;
	return (server.address() as AddressInfo).port;
}
