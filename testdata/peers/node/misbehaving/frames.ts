/** Streams and connections that end early, and frames in unusual shapes. */

import {
	answering,
	code,
	envelope,
	type Misbehaviour,
	ok,
	okTrailers,
	respond,
} from "./misbehaviour.ts";
import {
	errorCode,
	flag,
	frameType,
	headerBlock,
	startRawServer,
	uint32,
} from "./raw-http2.ts";

/**
 * PROTOCOL-HTTP2.md, "Errors". It has no mapping for STREAM_CLOSED and
 * HTTP_1_1_REQUIRED; grpc-go maps them to INTERNAL.
 */
const resetCodes: Record<keyof typeof errorCode, number> = {
	NO_ERROR: code.INTERNAL,
	PROTOCOL_ERROR: code.INTERNAL,
	INTERNAL_ERROR: code.INTERNAL,
	FLOW_CONTROL_ERROR: code.INTERNAL,
	SETTINGS_TIMEOUT: code.INTERNAL,
	STREAM_CLOSED: code.INTERNAL,
	FRAME_SIZE_ERROR: code.INTERNAL,
	REFUSED_STREAM: code.UNAVAILABLE,
	CANCEL: code.CANCELLED,
	COMPRESSION_ERROR: code.INTERNAL,
	CONNECT_ERROR: code.INTERNAL,
	ENHANCE_YOUR_CALM: code.RESOURCE_EXHAUSTED,
	INADEQUATE_SECURITY: code.PERMISSION_DENIED,
	HTTP_1_1_REQUIRED: code.INTERNAL,
};

export const resetMisbehaviours: readonly Misbehaviour[] = (
	Object.keys(resetCodes) as (keyof typeof errorCode)[]
).flatMap((name) => [
	answering(
		`resets the stream with ${name}`,
		resetCodes[name],
		(stream) => stream.reset(errorCode[name]),
		// The request is sent again at once, because the server says that it has not executed it.
		{ requests: name === "REFUSED_STREAM" ? 2 : 1 },
	),
	answering(
		`resets the stream with ${name} after a message`,
		resetCodes[name],
		(stream) => {
			stream.headers(ok);
			stream.data(envelope());
			stream.reset(errorCode[name]);
		},
		{ requests: 1 },
	),
]);

/** RFC 9113, section 6.8; PROTOCOL-HTTP2.md, "Connection Management". */
export const goAwayMisbehaviours: readonly Misbehaviour[] = [
	answering("answers, then resets with NO_ERROR", code.OK, (stream) => {
		respond(stream, ok);
		stream.reset(errorCode.NO_ERROR);
	}),
	answering(
		"sends GOAWAY, then answers",
		code.OK,
		(stream) => {
			stream.connection.goAway(stream.id, errorCode.NO_ERROR);
			respond(stream, ok);
			stream.connection.end();
		},
		{ requests: 1 },
	),
	answering(
		"sends GOAWAY in two steps, then answers",
		code.OK,
		(stream) => {
			stream.connection.goAway(0x7fffffff, errorCode.NO_ERROR);
			stream.connection.goAway(stream.id, errorCode.NO_ERROR);
			respond(stream, ok);
		},
		{ requests: 1 },
	),
	answering(
		"sends GOAWAY that leaves the call out",
		code.UNAVAILABLE,
		(stream) => {
			stream.connection.goAway(0, errorCode.NO_ERROR);
			stream.connection.end();
		},
		{ requests: 2 },
	),
	answering(
		"sends GOAWAY that takes the call in, and hangs up",
		code.UNAVAILABLE,
		(stream) => {
			stream.connection.goAway(stream.id, errorCode.NO_ERROR);
			stream.connection.end();
		},
		{ requests: 1 },
	),
	answering(
		"sends GOAWAY with ENHANCE_YOUR_CALM, and hangs up",
		code.UNAVAILABLE,
		(stream) => {
			const { connection, id } = stream;
			connection.goAway(id, errorCode.ENHANCE_YOUR_CALM, "too_many_pings");
			connection.end();
		},
		{ requests: 1 },
	),
	answering(
		"hangs up on a request",
		code.UNAVAILABLE,
		(stream) => stream.connection.end(),
		{ requests: 1 },
	),
	answering(
		"resets the TCP connection on a request",
		code.UNAVAILABLE,
		(stream) => stream.connection.socket.resetAndDestroy(),
		{ requests: 1 },
	),
	answering(
		"hangs up after response headers",
		code.UNAVAILABLE,
		(stream) => {
			stream.headers(ok);
			stream.connection.end();
		},
		{ requests: 1 },
	),
	answering(
		"hangs up in the middle of a message",
		code.UNAVAILABLE,
		(stream) => {
			stream.headers(ok);
			stream.data(envelope(Buffer.alloc(5), { length: 10 }));
			stream.connection.end();
		},
		{ requests: 1 },
	),
];

/** Frames that are valid, but unusual: RFC 9113, sections 4 to 6. */
export const unusualFrames: readonly Misbehaviour[] = [
	answering("splits headers into CONTINUATION frames", code.OK, (stream) => {
		stream.headersInPieces(ok, 7);
		stream.data(envelope());
		stream.headersInPieces(okTrailers, 5, true);
	}),
	answering("sends a message byte by byte", code.OK, (stream) => {
		stream.headers(ok);
		// An unknown field, number 1, of 200 bytes.
		const body = envelope(Buffer.of(0x0a, 0xc8, 0x01, ...Buffer.alloc(200)));
		for (const byte of body) stream.data(Buffer.of(byte));
		stream.headers(okTrailers, true);
	}),
	answering("sends empty DATA frames in between", code.OK, (stream) => {
		stream.headers(ok);
		stream.data(Buffer.alloc(0));
		stream.data(envelope());
		stream.data(Buffer.alloc(0));
		stream.headers(okTrailers, true);
	}),
	answering("pads and prioritizes its frames", code.OK, (stream) => {
		const { connection, id } = stream;
		connection.frame(
			frameType.headers,
			flag.endHeaders | flag.padded | flag.priority,
			id,
			Buffer.concat([
				Buffer.of(3),
				uint32(0),
				Buffer.of(16),
				headerBlock(ok),
				Buffer.alloc(3),
			]),
		);
		connection.frame(
			frameType.data,
			flag.padded,
			id,
			Buffer.concat([Buffer.of(100), envelope(), Buffer.alloc(100)]),
		);
		stream.headers(okTrailers, true);
	}),
	answering("sends PINGs and unknown frames in between", code.OK, (stream) => {
		const { connection, id } = stream;
		stream.headers(ok);
		connection.frame(frameType.ping, 0, 0, Buffer.alloc(8));
		connection.frame(0xee, 0xff, id, Buffer.alloc(20));
		connection.frame(0xee, 0xff, 0, Buffer.alloc(20));
		stream.data(envelope());
		stream.headers(okTrailers, true);
	}),
	{
		name: "sends unknown settings",
		codes: [code.OK],
		start: () =>
			startRawServer({
				settings: [
					[0xee, 7],
					[0xef, 0xffffffff],
				],
				onRequest: (stream) => respond(stream, ok),
			}),
	},
	{
		name: "answers before the request is complete",
		codes: [code.OK],
		start: () =>
			startRawServer({
				onHeaders: (stream) => {
					respond(stream, ok);
					stream.reset(errorCode.NO_ERROR);
				},
			}),
	},
];

/**
 * Invalid frames. By RFC 9113 they are stream or connection errors. The client
 * chooses the gRPC code.
 */
export const brokenFrames: readonly Misbehaviour[] = [
	answering("sends data before headers", anyError(), (stream) => {
		stream.data(envelope());
		stream.headers(okTrailers, true);
	}),
	answering("sends headers without :status", anyError(), (stream) =>
		respond(stream, [["content-type", "application/grpc"]]),
	),
	answering("sends upper-case header names", anyError(), (stream) =>
		respond(stream, [...ok, ["X-Upper", "no"]]),
	),
	answering("sends a header block that is no HPACK", anyError(), (stream) =>
		stream.connection.frame(
			frameType.headers,
			flag.endHeaders,
			stream.id,
			Buffer.alloc(20, 0xff),
		),
	),
	answering("sends a frame of more than 16 KiB", anyError(), (stream) => {
		stream.headers(ok);
		stream.data(envelope(Buffer.alloc(20_000)));
		stream.headers(okTrailers, true);
	}),
	answering("sends DATA on stream 0", anyError(), (stream) =>
		stream.connection.frame(frameType.data, 0, 0, envelope()),
	),
	answering("sends a PUSH_PROMISE", anyError(), (stream) =>
		stream.connection.frame(
			frameType.pushPromise,
			flag.endHeaders,
			stream.id,
			Buffer.concat([uint32(2), headerBlock(ok)]),
		),
	),
	answering("overflows the stream's window", anyError(), (stream) => {
		for (let i = 0; i < 2; i++) {
			stream.connection.frame(
				frameType.windowUpdate,
				0,
				stream.id,
				uint32(0x7fffffff),
			);
		}
	}),
	answering("interleaves frames with a header block", anyError(), (stream) => {
		const block = headerBlock(ok);
		const { connection, id } = stream;
		connection.frame(frameType.headers, 0, id, block.subarray(0, 5));
		stream.data(envelope());
	}),
	answering("sends a megabyte of headers", anyError(), (stream) => {
		const large = "x".repeat(15_000);
		stream.headersInPieces(
			[
				...ok,
				...Array.from({ length: 70 }, (_, i) => [`x-${i}`, large] as const),
			],
			16_000,
			true,
		);
	}),
];

function anyError(): number[] {
	return [
		code.UNKNOWN,
		code.RESOURCE_EXHAUSTED,
		code.INTERNAL,
		code.UNAVAILABLE,
	];
}
