const encoder = new TextEncoder();
let bytes = new Uint8Array(256);

/**
 * Computes MurmurHash3_x86_32 of the UTF-8 bytes of a text: a whole number from 0 to 2³² − 1 (A. Appleby,
 * https://github.com/aappleby/smhasher, MurmurHash3.cpp). It spreads well but is not secret: whoever chooses the texts can
 * choose the hashes.
 */
export function murmur3(text: string, seed = 0): number {
	if (bytes.length < text.length * 3) bytes = new Uint8Array(text.length * 3);
	const length = write(text);
	let hash = seed;
	let at = 0;
	for (; at + 4 <= length; at += 4) {
		const block =
			byte(at) |
			(byte(at + 1) << 8) |
			(byte(at + 2) << 16) |
			(byte(at + 3) << 24);
		hash ^= scrambled(block);
		hash = (hash << 13) | (hash >>> 19);
		hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
	}
	let tail = 0;
	for (let last = length - 1; last >= at; last--)
		tail = (tail << 8) | byte(last);
	// This changes nothing if there is no tail.
	hash ^= scrambled(tail);
	return finished(hash ^ length);
}

function scrambled(block: number): number {
	const mixed = Math.imul(block, 0xcc9e2d51);
	return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** Makes every bit of the hash depend on every other. */
function finished(hash: number): number {
	let mixed = hash ^ (hash >>> 16);
	mixed = Math.imul(mixed, 0x85ebca6b);
	mixed ^= mixed >>> 13;
	mixed = Math.imul(mixed, 0xc2b2ae35);
	return (mixed ^ (mixed >>> 16)) >>> 0;
}

function byte(at: number): number {
	return bytes[at] as number;
}

/** Encodes a text into `bytes`. Returns the number of bytes. */
function write(text: string): number {
	for (let i = 0; i < text.length; i++) {
		const unit = text.charCodeAt(i);
		// Leave texts that are not ASCII to the platform, which is slower.
		if (unit > 0x7f) return encoder.encodeInto(text, bytes).written;
		bytes[i] = unit;
	}
	return text.length;
}
