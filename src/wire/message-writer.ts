import { AT_ONCE_BYTES, COMPRESS_FROM_BYTES, compress } from "./gzip.ts";

const PREFIX_BYTES = 5;

/** One length-prefixed message (PROTOCOL-HTTP2, "Length-Prefixed-Message"), compressed if that was agreed and it is worth it. */
export function frameMessage(
	message: Uint8Array,
	encoding: "gzip" | undefined,
): Uint8Array {
	const compressed =
		encoding !== undefined && message.length >= COMPRESS_FROM_BYTES;
	return frameOf(compressed ? compress(message) : message, compressed);
}

/** Whether a message takes too long to deflate for the event loop: a `MessageQueue` is for that. */
export function deflatesLater(
	message: Uint8Array,
	encoding: "gzip" | undefined,
): boolean {
	return encoding !== undefined && message.length > AT_ONCE_BYTES;
}

/** One length-prefixed message. */
export function frameOf(payload: Uint8Array, compressed: boolean): Uint8Array {
	const length = payload.length;
	const frame = Buffer.allocUnsafe(PREFIX_BYTES + length);
	frame[0] = compressed ? 1 : 0;
	frame[1] = length >>> 24;
	frame[2] = length >>> 16;
	frame[3] = length >>> 8;
	frame[4] = length;
	frame.set(payload, PREFIX_BYTES);
	return frame;
}
