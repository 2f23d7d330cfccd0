import { constants, gunzip, gunzipSync, gzipSync } from "node:zlib";

/** Messages smaller than this many bytes are sent as they are: gzip would hardly shrink them. */
export const COMPRESS_FROM_BYTES = 1024;

/** What homing reads, in the words of `grpc-accept-encoding`. */
export const ACCEPT_ENCODING = "gzip,identity";

/** Up to this many compressed bytes, inflating at once is cheaper than a trip to the thread pool. */
export const INFLATE_AT_ONCE_BYTES: number = 16 * 1024;

/** Thrown instead of inflating further than the limit. */
export class InflatesTooLarge extends Error {
	override readonly name = "InflatesTooLarge";
}

export function compress(message: Uint8Array): Uint8Array {
	return gzipSync(message, { level: constants.Z_BEST_SPEED });
}

/** Inflates one message; throws `InflatesTooLarge` once it would exceed `maxBytes`, or what was malformed. */
export function inflateAtOnce(
	compressed: Uint8Array,
	maxBytes: number,
): Uint8Array {
	try {
		return gunzipSync(compressed, limited(maxBytes));
	} catch (error) {
		throw explained(error as Error);
	}
}

/** As `inflateAtOnce`, on another thread. */
export function inflate(
	compressed: Uint8Array,
	maxBytes: number,
): Promise<Uint8Array> {
	return new Promise((resolve, reject) => {
		gunzip(compressed, limited(maxBytes), (error, message) =>
			error === null ? resolve(message) : reject(explained(error)),
		);
	});
}

function limited(maxBytes: number): { maxOutputLength: number } {
	return { maxOutputLength: Math.max(maxBytes, 1) };
}

function explained(error: Error & { code?: string }): Error {
	return error.code === "ERR_BUFFER_TOO_LARGE"
		? new InflatesTooLarge()
		: new Error(`malformed gzip data: ${error.message}`, { cause: error });
}
