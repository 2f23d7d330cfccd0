/** Bare `node:http2`: what a careful programmer would write by hand. */

import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { frame, unframe } from "../frames.ts";
import { Bench } from "../gen/bench_pb.ts";
import { SMALL } from "../parcels.ts";
import {
	SESSION_MEMORY_MB,
	STREAM_WINDOW_BYTES,
	WINDOW_BYTES,
} from "../windows.ts";

export async function start(): Promise<number> {
	const { echo, stream } = Bench.method;
	const server = createServer({
		settings: { initialWindowSize: STREAM_WINDOW_BYTES },
		maxSessionMemory: SESSION_MEMORY_MB,
	});
	server.on("session", (session) => session.setLocalWindowSize(WINDOW_BYTES));
	server.on("stream", (http2, headers) => {
		const chunks: Buffer[] = [];
		http2.on("error", () => {});
		http2.on("data", (chunk: Buffer) => chunks.push(chunk));
		http2.on("end", () => {
			const request = unframe(chunks);
			respond(http2);
			if (headers[":path"] === `/${Bench.typeName}/${echo.name}`) {
				const parcel = fromBinary(echo.input, request);
				http2.end(frame(toBinary(echo.output, parcel)));
			} else {
				void streamAll(http2, fromBinary(stream.input, request).count);
			}
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return (server.address() as AddressInfo).port;
}

function respond(http2: ServerHttp2Stream): void {
	http2.respond(
		{ ":status": 200, "content-type": "application/grpc" },
		{ waitForTrailers: true },
	);
	http2.on("wantTrailers", () => http2.sendTrailers({ "grpc-status": "0" }));
}

async function streamAll(
	http2: ServerHttp2Stream,
	count: number,
): Promise<void> {
	const { output } = Bench.method.stream;
	for (let sent = 0; sent < count; sent++) {
		if (!http2.write(frame(toBinary(output, SMALL)))) {
			await new Promise((resolve) => http2.once("drain", resolve));
		}
	}
	http2.end();
}
