import { COMPRESS_FROM_BYTES, compress } from "./gzip.ts";

const PREFIX_BYTES = 5;

/** One length-prefixed message (PROTOCOL-HTTP2, "Length-Prefixed-Message"), compressed if that was agreed and it is worth it. */
export function frameMessage(
	message: Uint8Array,
	encoding: "gzip" | undefined,
): Uint8Array {
	const compressed =
		encoding !== undefined && message.length >= COMPRESS_FROM_BYTES;
	const payload = compressed ? compress(message) : message;
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
