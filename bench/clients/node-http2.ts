/** Bare `node:http2`: what a careful programmer would write by hand. */

import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect as connectHttp2,
} from "node:http2";
import {
	type DescMessage,
	type DescMethod,
	fromBinary,
	type MessageShape,
	toBinary,
} from "@bufbuild/protobuf";
import { frame, messagesInto, unframe } from "../frames.ts";
import { Bench } from "../gen/bench_pb.ts";
import { STREAM_WINDOW_BYTES, WINDOW_BYTES } from "../windows.ts";
import type { BenchClient } from "./client.ts";

export function connect(address: string): BenchClient {
	const session = connectHttp2(`http://${address}`, {
		settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
	});
	session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
	const { echo, stream } = Bench.method;
	return {
		echo: (parcel) =>
			new Promise((resolve, reject) => {
				const chunks: Buffer[] = [];
				const http2 = request(session, echo, reject, () =>
					resolve(fromBinary(echo.output, unframe(chunks))),
				);
				http2.on("data", (chunk: Buffer) => chunks.push(chunk));
				send(http2, echo.input, parcel);
			}),
		stream: (order) =>
			new Promise((resolve, reject) => {
				let count = 0;
				const http2 = request(session, stream, reject, () => resolve(count));
				http2.on(
					"data",
					messagesInto((message) => {
						fromBinary(stream.output, message);
						count++;
					}),
				);
				send(http2, stream.input, order);
			}),
	};
}

/** Sends a request. At the end, calls `failed` or `succeeded`. */
function request(
	session: ClientHttp2Session,
	method: DescMethod,
	failed: (error: Error) => void,
	succeeded: () => void,
): ClientHttp2Stream {
	const http2 = session.request({
		":method": "POST",
		":path": `/${method.parent.typeName}/${method.name}`,
		te: "trailers",
		"content-type": "application/grpc",
		"user-agent": "by-hand",
	});
	let httpStatus: unknown;
	let grpcStatus: unknown;
	http2.on("response", (headers) => {
		httpStatus = headers[":status"];
		grpcStatus = headers["grpc-status"];
	});
	http2.on("trailers", (trailers) => {
		grpcStatus = trailers["grpc-status"];
	});
	http2.on("error", failed);
	http2.on("end", () => {
		if (grpcStatus === "0") succeeded();
		else failed(new Error(`HTTP ${httpStatus}, grpc-status ${grpcStatus}`));
	});
	return http2;
}

function send<I extends DescMessage>(
	http2: ClientHttp2Stream,
	schema: I,
	message: MessageShape<I>,
): void {
	http2.end(frame(toBinary(schema, message)));
}
