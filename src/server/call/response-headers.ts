/** The header blocks of a response. */

import { Code, ConnectError } from "@connectrpc/connect";
import type { RawHeaders } from "../../wire/headers.ts";
import {
	appendMetadata,
	headerBytes,
	MAX_HEADER_BYTES,
} from "../../wire/metadata.ts";
import { trailersOfError } from "../../wire/status.ts";

/** Of a call that went well, without metadata. */
export const okTrailers: RawHeaders = ["grpc-status", "0"];

/** Response headers without metadata, by their content-type: engines know them again by their identity. */
const PLAIN = new Map<string, RawHeaders>(
	["application/grpc", "application/grpc+proto"].map((type) => [
		type,
		startOf(type),
	]),
);

/** @throws ConnectError INTERNAL for what metadata cannot hold */
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
 * The trailers of a call. `only`: its content-type, if they are the only headers of the response (Trailers-Only).
 *
 * @throws ConnectError INTERNAL for what metadata cannot hold
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
	// What another server said of a call made here is not this server's to say.
	const own = error?.isWireError ? undefined : error?.metadata;
	const all = joined(own, metadata);
	if (all !== undefined) appendMetadata(trailers, all, undefined);
	return trailers;
}

/**
 * node:http2 closes the whole connection when it is given more headers than it sends.
 *
 * @throws ConnectError RESOURCE_EXHAUSTED for more headers than are sent, or than the client takes
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

/** What is said instead of trailers that cannot be sent. */
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

/** As one, so that a name in both is sent once: node:http2 throws for many of those that are sent twice. */
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
