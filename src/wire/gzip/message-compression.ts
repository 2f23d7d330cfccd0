import { AT_ONCE_BYTES, COMPRESS_FROM_BYTES } from "./gzip.ts";

/** Whether a message is worth compressing, with what was agreed. */
export function isCompressed(
	message: Uint8Array,
	encoding: "gzip" | undefined,
): boolean {
	return encoding !== undefined && message.length >= COMPRESS_FROM_BYTES;
}

/** Whether a message takes too long to deflate on the event loop: a `DeflationQueue` does it on another thread. */
export function deflatesLater(
	message: Uint8Array,
	encoding: "gzip" | undefined,
): boolean {
	return encoding !== undefined && message.length > AT_ONCE_BYTES;
}
