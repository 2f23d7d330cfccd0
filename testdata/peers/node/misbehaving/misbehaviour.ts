/** What a misbehaviour is, and functions that several of them use. */

import { type Field, type RawStream, startRawServer } from "./raw-http2.ts";

export interface Misbehaviour {
	/** What the server does. */
	readonly name: string;
	/**
	 * The gRPC codes with which a unary call with a deadline and without a retry
	 * policy may end; 0 is OK. There is only one if gRPC's documents name it.
	 */
	readonly codes: readonly number[];
	/** The expected status message, if it matters. */
	readonly message?: string;
	/** How many requests the server must get for one call, if it matters. */
	readonly requests?: number;
	start(): Promise<MisbehavingServer>;
}

export interface MisbehavingServer {
	/** "127.0.0.1:port" */
	readonly address: string;
	/** The authority (PEM) that clients must trust for TLS. Undefined means plaintext. */
	readonly ca?: string;
	/** How many requests the server has got. */
	readonly requests: number;
	stop(): Promise<void>;
}

export const code = {
	OK: 0,
	CANCELLED: 1,
	UNKNOWN: 2,
	DEADLINE_EXCEEDED: 4,
	NOT_FOUND: 5,
	PERMISSION_DENIED: 7,
	RESOURCE_EXHAUSTED: 8,
	UNIMPLEMENTED: 12,
	INTERNAL: 13,
	UNAVAILABLE: 14,
	UNAUTHENTICATED: 16,
} as const;

/** Makes a server that answers each request in the same way. */
export function answering(
	name: string,
	codes: number | readonly number[],
	onRequest: (stream: RawStream) => void,
	expected: Pick<Misbehaviour, "message" | "requests"> = {},
): Misbehaviour {
	return {
		name,
		codes: typeof codes === "number" ? [codes] : codes,
		...expected,
		start: () => startRawServer({ onRequest }),
	};
}

export const ok: readonly Field[] = [
	[":status", "200"],
	["content-type", "application/grpc"],
];

export const okTrailers: readonly Field[] = [["grpc-status", "0"]];

/** Encodes a length-prefixed message. An empty message is valid for any type. */
export function envelope(
	bytes: Uint8Array = new Uint8Array(),
	{
		flags = 0,
		length = bytes.length,
	}: { flags?: number; length?: number } = {},
): Buffer {
	const prefix = Buffer.alloc(5);
	prefix.writeUInt8(flags, 0);
	prefix.writeUInt32BE(length, 1);
	return Buffer.concat([prefix, bytes]);
}

/** Sends headers, the bytes of a body, and trailers. */
export function respond(
	stream: RawStream,
	headers: readonly Field[],
	body: Uint8Array = envelope(),
	trailers: readonly Field[] = okTrailers,
): void {
	stream.headers(headers);
	stream.data(body);
	stream.headers(trailers, true);
}
