/** A message may keep this many bytes of memory that are not its own, beside three times its length. */
const SLACK_BYTES = 64;

/**
 * The same bytes, in memory of their own if they are a small part of a large buffer: a message that waits must not keep
 * the whole chunk alive in which it arrived.
 */
export function ownBytes(bytes: Uint8Array): Uint8Array {
	const { buffer, length } = bytes;
	return buffer.byteLength <= 4 * length + SLACK_BYTES ? bytes : bytes.slice();
}
