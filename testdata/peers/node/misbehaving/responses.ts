/** Responses that are valid in HTTP/2, but invalid or unusual in gRPC. */

import { gzipSync } from "node:zlib";
import {
	answering,
	code,
	envelope,
	type Misbehaviour,
	ok,
	okTrailers,
	respond,
} from "./misbehaviour.ts";
import type { Field } from "./raw-http2.ts";

/** doc/http-grpc-status-mapping.md; the last two are among "all other codes". */
const httpStatuses: readonly (readonly [number, number])[] = [
	[400, code.INTERNAL],
	[401, code.UNAUTHENTICATED],
	[403, code.PERMISSION_DENIED],
	[404, code.UNIMPLEMENTED],
	[429, code.UNAVAILABLE],
	[431, code.INTERNAL],
	[502, code.UNAVAILABLE],
	[503, code.UNAVAILABLE],
	[504, code.UNAVAILABLE],
	[302, code.UNKNOWN],
	[500, code.UNKNOWN],
];

const html: Field = ["content-type", "text/html"];
const page = Buffer.from("<h1>no gRPC here</h1>");
const gzipEncoding: Field = ["grpc-encoding", "gzip"];
const maxMessageBytes = 4 << 20;

function status(value: string, ...more: Field[]): Field[] {
	return [["grpc-status", value], ...more];
}

/** PROTOCOL-HTTP2.md, "Responses"; doc/http-grpc-status-mapping.md. */
/**
 * About 48 KiB, within any flow-control window, that decompress to 48 MiB. Made in advance, because making it takes longer
 * than some deadlines.
 */
const BOMB = gzipSync(Buffer.alloc(48 << 20));

export const headMisbehaviours: readonly Misbehaviour[] = [
	...httpStatuses.flatMap(([http, expected]) => [
		answering(`answers HTTP ${http} with a page`, expected, (stream) => {
			stream.headers([[":status", `${http}`], html]);
			stream.data(page, true);
		}),
		answering(`answers HTTP ${http} and no more`, expected, (stream) =>
			stream.headers([[":status", `${http}`]], true),
		),
	]),
	answering("answers HTTP 503 with a grpc-status", code.NOT_FOUND, (stream) =>
		stream.headers(
			[
				[":status", "503"],
				["content-type", "application/grpc"],
				...status("5"),
			],
			true,
		),
	),
	answering("sends HTTP 103 first", code.OK, (stream) => {
		stream.headers([
			[":status", "103"],
			["link", "</style.css>"],
		]);
		respond(stream, ok);
	}),
	answering("answers HTTP 200 with a page", code.UNKNOWN, (stream) => {
		stream.headers([[":status", "200"], html]);
		stream.data(page, true);
	}),
	answering("answers without a content-type", code.UNKNOWN, (stream) =>
		respond(stream, [[":status", "200"]]),
	),
	answering("answers as application/grpc+proto", code.OK, (stream) =>
		respond(stream, [
			[":status", "200"],
			["content-type", "application/grpc+proto"],
		]),
	),
];

/** PROTOCOL-HTTP2.md, "Trailers". */
export const statusMisbehaviours: readonly Misbehaviour[] = [
	answering(
		"fails in Trailers-Only",
		code.NOT_FOUND,
		(stream) =>
			stream.headers(
				[...ok, ...status("5", ["grpc-message", "not here"])],
				true,
			),
		{ message: "not here" },
	),
	answering(
		"percent-encodes its message",
		code.NOT_FOUND,
		(stream) =>
			stream.headers(
				[...ok, ...status("5", ["grpc-message", "100%25 %e2%82%AC%0A"])],
				true,
			),
		{ message: "100% €\n" },
	),
	answering(
		"sends a message that is no percent-encoding",
		code.NOT_FOUND,
		(stream) =>
			stream.headers(
				[...ok, ...status("5", ["grpc-message", "50% of %zz and %C3"])],
				true,
			),
	),
	answering("sends trailers without grpc-status", code.UNKNOWN, (stream) =>
		respond(stream, ok, envelope(), [["x-trailer", "here"]]),
	),
	answering(
		"ends with data and no trailers",
		[code.UNKNOWN, code.INTERNAL],
		(stream) => {
			stream.headers(ok);
			stream.data(envelope(), true);
		},
	),
	...["", "abc", "-1", "17", "1.5", "99999999999"].map((value) =>
		answering(`sends grpc-status "${value}"`, code.UNKNOWN, (stream) =>
			respond(stream, ok, envelope(), status(value)),
		),
	),
	answering("sends malformed details", code.NOT_FOUND, (stream) =>
		stream.headers(
			[...ok, ...status("5", ["grpc-status-details-bin", "!!!"])],
			true,
		),
	),
	answering(
		"sends malformed binary metadata",
		[code.OK, code.INTERNAL],
		(stream) => respond(stream, [...ok, ["x-bad-bin", "!!!"]]),
	),
	answering("sends padded binary metadata", code.OK, (stream) =>
		respond(stream, [...ok, ["x-good-bin", "YQ=="]]),
	),
];

/** PROTOCOL-HTTP2.md, "Length-Prefixed-Message"; compression.md. */
export const messageMisbehaviours: readonly Misbehaviour[] = [
	answering("sends no message, and OK", code.UNIMPLEMENTED, (stream) => {
		stream.headers(ok);
		stream.headers(okTrailers, true);
	}),
	answering("sends OK in Trailers-Only", code.UNIMPLEMENTED, (stream) =>
		stream.headers([...ok, ...okTrailers], true),
	),
	answering("sends two messages", code.UNIMPLEMENTED, (stream) =>
		respond(stream, ok, Buffer.concat([envelope(), envelope()])),
	),
	answering("sends a message, and fails", code.NOT_FOUND, (stream) =>
		respond(stream, ok, envelope(), status("5")),
	),
	answering("sends a message that does not parse", code.INTERNAL, (stream) =>
		respond(stream, ok, envelope(Buffer.of(0x0a, 0x7f))),
	),
	answering("sends a cut-off message, and OK", code.INTERNAL, (stream) =>
		respond(stream, ok, envelope(Buffer.alloc(5), { length: 10 })),
	),
	answering("sends a cut-off prefix, and OK", code.INTERNAL, (stream) =>
		respond(stream, ok, Buffer.of(0, 0, 0)),
	),
	answering("sends an unknown flag", code.INTERNAL, (stream) =>
		respond(stream, ok, envelope(Buffer.alloc(0), { flags: 2 })),
	),
	answering(
		"announces a message of 4 MiB and a byte",
		code.RESOURCE_EXHAUSTED,
		(stream) => {
			stream.headers(ok);
			stream.data(envelope(Buffer.alloc(10), { length: maxMessageBytes + 1 }));
		},
	),
	answering(
		"announces a message of 4 GiB",
		code.RESOURCE_EXHAUSTED,
		(stream) => {
			stream.headers(ok);
			stream.data(envelope(Buffer.alloc(10), { length: 0xffffffff }));
		},
	),
	answering("compresses without an encoding", code.INTERNAL, (stream) =>
		respond(stream, ok, envelope(gzipSync(""), { flags: 1 })),
	),
	answering("compresses with the encoding identity", code.INTERNAL, (stream) =>
		respond(
			stream,
			[...ok, ["grpc-encoding", "identity"]],
			envelope(gzipSync(""), { flags: 1 }),
		),
	),
	answering("compresses with an unknown encoding", code.INTERNAL, (stream) =>
		respond(
			stream,
			[...ok, ["grpc-encoding", "homespun"]],
			envelope(Buffer.from("?"), { flags: 1 }),
		),
	),
	answering("compresses with gzip", code.OK, (stream) =>
		respond(
			stream,
			[...ok, gzipEncoding],
			envelope(gzipSync(""), { flags: 1 }),
		),
	),
	answering("names gzip and does not compress", code.OK, (stream) =>
		respond(stream, [...ok, gzipEncoding]),
	),
	answering("calls a message gzip that is not", code.INTERNAL, (stream) =>
		respond(
			stream,
			[...ok, gzipEncoding],
			envelope(Buffer.from("not gzip"), { flags: 1 }),
		),
	),
	answering("sends a cut-off gzip message", code.INTERNAL, (stream) =>
		respond(
			stream,
			[...ok, gzipEncoding],
			envelope(gzipSync(Buffer.alloc(100)).subarray(0, 15), { flags: 1 }),
		),
	),
	answering("sends a gzip bomb", code.RESOURCE_EXHAUSTED, (stream) => {
		stream.headers([...ok, gzipEncoding]);
		const body = envelope(BOMB, { flags: 1 });
		for (let start = 0; start < body.length; start += 16_384) {
			stream.data(body.subarray(start, start + 16_384));
		}
		stream.headers(okTrailers, true);
	}),
];
