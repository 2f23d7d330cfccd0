/** Bytes of the prefix that every message has on the wire (PROTOCOL-HTTP2, "Length-Prefixed-Message"). */
export const PREFIX_BYTES = 5;

/** One message with its prefix. */
export function frameOf(message: Uint8Array, compressed: boolean): Uint8Array {
	const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
	writeFrame(frame, 0, message, compressed);
	return frame;
}

/** Writes one message with its prefix into `onto`, and returns where it ends. */
export function writeFrame(
	onto: Uint8Array,
	at: number,
	message: Uint8Array,
	compressed: boolean,
): number {
	const length = message.length;
	onto[at] = compressed ? 1 : 0;
	onto[at + 1] = length >>> 24;
	onto[at + 2] = length >>> 16;
	onto[at + 3] = length >>> 8;
	onto[at + 4] = length;
	onto.set(message, at + PREFIX_BYTES);
	return at + PREFIX_BYTES + length;
}

/**
 * The message of a chunk that holds one uncompressed message and nothing else, as most unary responses arrive; undefined
 * for any other chunk, which a `MessageReader` reads. The message is a part of the chunk, and a plain Uint8Array: a
 * Buffer, which behaves differently in places, would reach the user in the bytes fields of messages.
 */
export function onlyMessageOf(
	chunk: Uint8Array,
	maxBytes: number,
): Uint8Array | undefined {
	const length = chunk.length - PREFIX_BYTES;
	if (length < 0 || length > maxBytes || chunk[0] !== 0) return undefined;
	const announced =
		(((chunk[1] as number) << 24) |
			((chunk[2] as number) << 16) |
			((chunk[3] as number) << 8) |
			(chunk[4] as number)) >>>
		0;
	if (announced !== length) return undefined;
	return new Uint8Array(chunk.buffer, chunk.byteOffset + PREFIX_BYTES, length);
}
