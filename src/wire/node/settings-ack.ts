const FRAME_HEADER_BYTES = 9;
const SETTINGS = 0x4;
const ACK = 0x1;

const NOTHING = Buffer.alloc(0);

/** Finds the first acknowledgement of SETTINGS in what a peer sends, and removes it (RFC 9113 section 6.5.3). */
export class SettingsAck {
	#found = false;
	/** Bytes until the next frame. */
	#skip: number;
	/** The beginning of a frame header, whose rest is in the next chunk. */
	#begun: Buffer = NOTHING;

	/** `skip`: bytes before the first frame. */
	constructor(skip: number) {
		this.#skip = skip;
	}

	get found(): boolean {
		return this.#found;
	}

	/** Returns the chunk without the acknowledgement. The beginning of a frame header is returned with the next chunk. */
	takeOutOf(chunk: Buffer): Buffer {
		if (this.#found) return chunk;
		const bytes =
			this.#begun.length === 0 ? chunk : Buffer.concat([this.#begun, chunk]);
		this.#begun = NOTHING;
		let at = this.#skip;
		this.#skip = 0;
		while (at + FRAME_HEADER_BYTES <= bytes.length) {
			const end = at + FRAME_HEADER_BYTES;
			const length = bytes.readUIntBE(at, 3);
			const isAck =
				bytes[at + 3] === SETTINGS && ((bytes[at + 4] as number) & ACK) !== 0;
			// An acknowledgement with a payload is malformed. Node deals with it.
			if (isAck && length === 0) {
				this.#found = true;
				return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
			}
			at = end + length;
		}
		if (at >= bytes.length) {
			this.#skip = at - bytes.length;
			return bytes;
		}
		this.#begun = Buffer.from(bytes.subarray(at));
		return bytes.subarray(0, at);
	}
}
