import type { RawHeaders } from "./headers.ts";
import { headerBytes } from "./metadata.ts";

/** What goes into the request head of a method, beside what gRPC fixes. */
export interface HeadFields {
	readonly scheme: "http" | "https";
	readonly authority: string;
	/** `/package.Service/Method` */
	readonly path: string;
	readonly userAgent: string;
	/** The value of `grpc-accept-encoding`; undefined to leave it out. */
	readonly acceptEncoding: string | undefined;
	/** The value of `grpc-encoding`; undefined when requests are not compressed. */
	readonly encoding: string | undefined;
}

/**
 * The request headers that all calls of one method on one channel share, built once (PROTOCOL-HTTP2, "Request-Headers").
 * The timeout and the metadata of a call follow them. An engine may keep its own form of the block in `cached`.
 */
export class PreparedHead {
	readonly headers: RawHeaders;
	/** Bytes of `headers` as SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
	readonly bytes: number;
	cached: unknown;

	constructor(fields: HeadFields) {
		const { acceptEncoding, encoding } = fields;
		const headers = [
			...[":method", "POST"],
			...[":scheme", fields.scheme],
			...[":path", fields.path],
			...[":authority", fields.authority],
			...["te", "trailers"],
			...["content-type", "application/grpc"],
			...["user-agent", fields.userAgent],
		];
		if (acceptEncoding !== undefined) {
			headers.push("grpc-accept-encoding", acceptEncoding);
		}
		if (encoding !== undefined) headers.push("grpc-encoding", encoding);
		this.headers = headers;
		this.bytes = headerBytes(headers);
	}
}

/** Bytes of all headers of a request, as SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
export function requestBytes(
	head: PreparedHead,
	timeout: string | undefined,
	metadata: RawHeaders,
): number {
	return (
		head.bytes +
		(timeout === undefined ? 0 : TIMEOUT_BYTES + timeout.length) +
		(metadata.length === 0 ? 0 : headerBytes(metadata))
	);
}

const TIMEOUT_BYTES = headerBytes(["grpc-timeout", ""]);
