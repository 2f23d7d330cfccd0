import type { Http2Stream } from "node:http2";
import { Readable } from "node:stream";

/**
 * Makes what takes the place of a stream's `push`: `hear` gets each chunk as it arrives, and returns false to stop the
 * peer, once its window is full, until `readOn`. The end is announced as "end" at once, without a "data" listener.
 *
 * Readable keeps the chunks of a paused stream as they came: frames of one byte take 100 times the memory of their bytes
 * there. It also drops them when the stream is reset.
 */
export function directPush<S extends Http2Stream>(
	hear: (http2: S, chunk: Uint8Array) => boolean,
): (this: S, chunk: Uint8Array | null) => boolean {
	return function push(this: S, chunk: Uint8Array | null): boolean {
		if (chunk !== null) return hear(this, chunk);
		Readable.prototype.push.call(this, null);
		this.read(0);
		return false;
	};
}

/** Begins to read, or lets a peer go on that a `hear` has stopped. */
export function readOn(http2: Http2Stream): void {
	if (!http2.destroyed) http2._read(0);
}
