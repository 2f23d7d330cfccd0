import { constants, gunzipSync, gzipSync } from "node:zlib";

/** Messages smaller than this many bytes are sent as they are: gzip would hardly shrink them. */
export const COMPRESS_FROM_BYTES = 1024;

/** What homing reads, in the words of `grpc-accept-encoding`. */
export const ACCEPT_ENCODING = "gzip,identity";

/**
 * Messages of up to this many bytes are inflated and deflated at once, which is cheaper than a trip to the thread pool and
 * holds up the event loop for less than a millisecond; larger ones are not.
 */
export const AT_ONCE_BYTES: number = 64 * 1024;

/** For speed: the level of messages. */
export const LEVEL: number = constants.Z_BEST_SPEED;

/** Thrown instead of inflating further than the limit. */
export class InflatesTooLarge extends Error {
	override readonly name = "InflatesTooLarge";
}

export function compress(message: Uint8Array): Uint8Array {
	return gzipSync(message, { level: LEVEL });
}

/**
 * Inflates one message; undefined when it has more than `AT_ONCE_BYTES`.
 *
 * @throws InflatesTooLarge once it would exceed `maxBytes`; Error for what is malformed
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
		// What it said of its size was not true.
		if (maxBytes > AT_ONCE_BYTES) return undefined;
		throw new InflatesTooLarge();
	}
}

/** How large a message becomes, as far as one can tell before: its last bytes say so, or lie (RFC 1952, ISIZE). */
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
