import { Code, ConnectError } from "@connectrpc/connect";
import type { RawHeaders } from "./headers.ts";

/** Names that belong to HTTP/2 or to gRPC itself. They are dropped from user metadata. */
const RESERVED: ReadonlySet<string> = new Set([
	"te",
	"host",
	"content-type",
	"content-length",
	"user-agent",
	"connection",
	"keep-alive",
	"proxy-connection",
	"transfer-encoding",
	"upgrade",
	"http2-settings",
	"grpc-timeout",
	"grpc-encoding",
	"grpc-accept-encoding",
	"grpc-status",
	"grpc-message",
]);

/** Limit for one header block in either direction, in bytes: Node reads at most nine frames of a block. */
export const MAX_HEADER_BYTES: number = 128 * 1024;

/** The size of a header block: the bytes of all names and values, and 32 for each pair (RFC 9113 section 6.5.2). */
export function headerBytes(headers: RawHeaders): number {
	let bytes = 16 * headers.length;
	for (const text of headers) bytes += text.length;
	return bytes;
}

/**
 * Appends user metadata in its form on the wire. Repeated ASCII values stay comma-joined, as `Headers` holds them; each
 * value of a `-bin` key is a field of its own, in unpadded base64 (PROTOCOL-HTTP2, "Custom-Metadata"). Reserved names are
 * left out and reported to `dropped`.
 *
 * @throws ConnectError INTERNAL, as in grpc-go, for a value with a character that is not printable ASCII, except in
 * Kitex's metainfo, which may be UTF-8
 */
export function appendMetadata(
	onto: string[],
	metadata: Headers,
	dropped: ((name: string) => void) | undefined,
): void {
	for (const [name, value] of metadata) {
		if (RESERVED.has(name)) {
			dropped?.(name);
		} else if (!PRINTABLE.test(value) && !isMetainfo(name, value)) {
			throw unprintable(name, value);
		} else if (name.endsWith("-bin")) {
			for (const one of value.split(",")) {
				onto.push(name, one.trim().replace(/=+$/, ""));
			}
		} else {
			onto.push(name, value);
		}
	}
}

/** "ASCII-Value" of PROTOCOL-HTTP2. */
const PRINTABLE = /^[\x20-\x7e]*$/;

/**
 * Kitex sends its metainfo in UTF-8, although gRPC allows only ASCII. `Headers` holds it with one character for each byte,
 * and it is passed on unchanged.
 */
function isMetainfo(name: string, value: string): boolean {
	return /^rpc-(transit|persist|backward)-/.test(name) && TEXT.test(value);
}

/** "field-value" of RFC 9110 section 5.5, with "obs-text". */
const TEXT = /^[\x20-\x7e\x80-\xff]*$/;

function unprintable(name: string, value: string): ConnectError {
	const at = value.search(/[^\x20-\x7e]/);
	const hex = value.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
	return new ConnectError(
		`the value of ${JSON.stringify(name)} in the metadata has U+${hex} at index ${at}, and metadata is printable ASCII: encode it, or send bytes under a name that ends in "-bin" (encodeBinaryHeader)`,
		Code.Internal,
	);
}

/** Converts received headers or trailers into one Fetch `Headers`, without pseudo-headers. */
export function toHeaders(...blocks: readonly RawHeaders[]): Headers {
	const headers = new Headers();
	for (const raw of blocks) {
		for (let i = 0; i < raw.length; i += 2) {
			const name = raw[i] as string;
			if (name.startsWith(":")) continue;
			const value = raw[i + 1] as string;
			if (name.endsWith("-bin")) {
				for (const one of value.split(",")) headers.append(name, one.trim());
			} else {
				headers.append(name, value);
			}
		}
	}
	return headers;
}
