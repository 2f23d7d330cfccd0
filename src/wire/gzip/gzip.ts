import { constants, gunzipSync, gzipSync } from "node:zlib";

/** Messages smaller than this are sent uncompressed, as gzip hardly shrinks them. In bytes. */
export const COMPRESS_FROM_BYTES = 1024;

/** The encodings that homing reads: the value of `grpc-accept-encoding`. */
export const ACCEPT_ENCODING = "gzip,identity";

/**
 * Messages of up to this many bytes are inflated and deflated on the event loop: that is cheaper than a trip to the thread
 * pool, and blocks the event loop for less than a millisecond. Larger ones go to the thread pool.
 */
export const AT_ONCE_BYTES: number = 64 * 1024;

/** The compression level of messages. */
export const LEVEL: number = constants.Z_BEST_SPEED;

/** Thrown when a message would inflate to more than the limit. */
export class InflatesTooLarge extends Error {
	override readonly name = "InflatesTooLarge";
}

export function compress(message: Uint8Array): Uint8Array {
	return gzipSync(message, { level: LEVEL });
}

/**
 * Inflates one message; returns undefined if that takes more than `AT_ONCE_BYTES`.
 *
 * @throws InflatesTooLarge if it would exceed `maxBytes`; Error if it is malformed
 */
export function inflateAtOnce(
	compressed: Uint8Array,
	maxBytes: number,
): Uint8Array | undefined {
	if (maxBytes > AT_ONCE_BYTES && inflatedSize(compressed) > AT_ONCE_BYTES) {
		return undefined;
	}
	const maxOutputLength = Math.max(Math.min(maxBytes, AT_ONCE_BYTES), 1);
	try {
		return gunzipSync(compressed, { maxOutputLength });
	} catch (error) {
		if ((error as { code?: string }).code !== "ERR_BUFFER_TOO_LARGE") {
			throw malformedGzip(error as Error);
		}
		// The size that it announced was wrong.
		if (maxBytes > AT_ONCE_BYTES) return undefined;
		throw new InflatesTooLarge();
	}
}

/** The size that a message announces for itself in its last bytes (RFC 1952, ISIZE). It may be wrong. */
export function inflatedSize(compressed: Uint8Array): number {
	const { length } = compressed;
	if (length < 4) return length;
	let size = 0;
	for (let i = 1; i <= 4; i++) {
		size = size * 256 + (compressed[length - i] as number);
	}
	return Math.max(size, length);
}

export function malformedGzip(cause: Error): Error {
	return new Error(`malformed gzip data: ${cause.message}`, { cause });
}
