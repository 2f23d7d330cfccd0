/** What a misbehaviour is, and the words that its makers share. */

import { type Field, type RawStream, startRawServer } from "./raw-http2.ts";

export interface Misbehaviour {
	/** What the server does. */
	readonly name: string;
	/**
	 * How a unary call may end that has a deadline and no retry policy: gRPC
	 * codes, 0 being OK. One of them where gRPC's documents say which.
	 */
	readonly codes: readonly number[];
	/** The status message, where it matters. */
	readonly message?: string;
	/** How many requests the server hears for one call, where it matters. */
	readonly requests?: number;
	start(): Promise<MisbehavingServer>;
}

export interface MisbehavingServer {
	/** "127.0.0.1:port" */
	readonly address: string;
	/** Clients use TLS and trust this authority (PEM); without it, plaintext. */
	readonly ca?: string;
	/** How many requests have come. */
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

/** A server that answers every request the same way. */
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

/** A length-prefixed message; an empty one parses as any type. */
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

/** Headers, the bytes of a body, trailers. */
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
