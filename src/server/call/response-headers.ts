/** The headers and trailers of a response. */

import { Code, ConnectError } from "@connectrpc/connect";
import type { RawHeaders } from "../../wire/headers.ts";
import {
	appendMetadata,
	headerBytes,
	MAX_HEADER_BYTES,
} from "../../wire/metadata.ts";
import { trailersOfError } from "../../wire/status.ts";

/** The trailers of a call that ended with OK, without metadata. */
export const okTrailers: RawHeaders = ["grpc-status", "0"];

/** Response headers without metadata, by content-type. Engines recognise them by identity. */
const PLAIN = new Map<string, RawHeaders>(
	["application/grpc", "application/grpc+proto"].map((type) => [
		type,
		startOf(type),
	]),
);

/**
 * Makes the headers of a response.
 *
 * @throws ConnectError INTERNAL for a value that metadata cannot hold
 */
export function responseHeaders(
	contentType: string,
	compression: "gzip" | undefined,
	metadata: Headers | undefined,
): RawHeaders {
	if (compression === undefined && metadata === undefined) {
		return PLAIN.get(contentType) ?? startOf(contentType);
	}
	const headers = startOf(contentType);
	if (compression !== undefined) headers.push("grpc-encoding", compression);
	if (metadata !== undefined) appendMetadata(headers, metadata, undefined);
	return headers;
}

/**
 * Makes the trailers of a call. `only`: its content-type, if they are the only headers of the response (Trailers-Only).
 *
 * @throws ConnectError INTERNAL for a value that metadata cannot hold
 */
export function trailersOf(
	error: ConnectError | undefined,
	metadata: Headers | undefined,
	only: string | undefined,
	further: RawHeaders = [],
): RawHeaders {
	const trailers = only === undefined ? [] : startOf(only);
	trailers.push(...further);
	if (error === undefined) trailers.push("grpc-status", "0");
	else trailers.push(...trailersOfError(error));
	// An error that came from another server keeps that server's metadata to itself.
	const own = error?.isWireError ? undefined : error?.metadata;
	const all = joined(own, metadata);
	if (all !== undefined) appendMetadata(trailers, all, undefined);
	return trailers;
}

/**
 * Checks the size of headers. With more than it can send, node:http2 would close the whole connection.
 *
 * @throws ConnectError RESOURCE_EXHAUSTED for more than can be sent, or than the client accepts
 */
export function checkHeaderBytes(
	what: "headers" | "trailers",
	headers: RawHeaders,
	clientTakes: number,
): void {
	const bytes = headerBytes(headers);
	if (bytes > MAX_HEADER_BYTES) {
		throw largeHeaders(what, bytes, `the limit is ${MAX_HEADER_BYTES}`);
	}
	if (bytes > clientTakes) {
		throw largeHeaders(what, bytes, `the client takes ${clientTakes}`);
	}
}

/** The error that is sent instead of trailers that cannot be sent: `why`, and the error that they had. */
export function unsendable(
	why: ConnectError,
	error: ConnectError | undefined,
): ConnectError {
	if (error === undefined) return why;
	const text = `${why.rawMessage}; ${error.rawMessage}`;
	return new ConnectError(text.slice(0, 1024), error.code);
}

/** Whether there is any metadata. */
export function hasAny(metadata: Headers | undefined): boolean {
	return metadata !== undefined && !metadata.keys().next().done;
}

function startOf(contentType: string): string[] {
	return [":status", "200", "content-type", contentType];
}

/** Joins two sets of metadata, so that a name in both is sent once: node:http2 throws for many names that are sent twice. */
function joined(
	one: Headers | undefined,
	other: Headers | undefined,
): Headers | undefined {
	if (one === undefined || other === undefined) return one ?? other;
	const all = new Headers(one);
	for (const [name, value] of other) all.append(name, value);
	return all;
}

function largeHeaders(
	what: "headers" | "trailers",
	bytes: number,
	limit: string,
): ConnectError {
	return new ConnectError(
		`the response's ${what} take ${bytes} bytes, and ${limit}: send less metadata`,
		Code.ResourceExhausted,
	);
}
