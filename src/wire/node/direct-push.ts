import type { Http2Stream } from "node:http2";
import { Readable } from "node:stream";

/**
 * What takes the place of a stream's `push`: `hear` gets each chunk as it arrives, whether or not the stream is to be
 * read, and returns false to let the peer's window run out, until `readOn`.
 *
 * Readable itself keeps the chunks of a stream that is paused as they came: frames of one byte take 100 times the memory
 * of their bytes there. It also drops them when the stream is reset.
 */
export function directPush<S extends Http2Stream>(
	hear: (http2: S, chunk: Uint8Array) => boolean,
): (this: S, chunk: Uint8Array | null) => boolean {
	return function push(this: S, chunk: Uint8Array | null): boolean {
		return chunk === null
			? Readable.prototype.push.call(this, null)
			: hear(this, chunk);
	};
}

/** Lets the peer go on that a `hear` has stopped. */
export function readOn(http2: Http2Stream): void {
	if (!http2.destroyed) http2._read(0);
}
