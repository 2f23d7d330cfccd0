import { Code } from "@connectrpc/connect";
import type { Stream } from "./connection.ts";
import {
	INFLATE_AT_ONCE_BYTES,
	InflatesTooLarge,
	inflate,
	inflateAtOnce,
} from "./gzip.ts";

const PREFIX_BYTES = 5;
const NOTHING = new Uint8Array(0);

/** Never added to: most streams are read chunk by chunk. */
const NO_CHUNKS: Uint8Array[] = [];

export interface MessageReaderOwner {
	message(message: Uint8Array): void;
	/** Every message has been delivered and the peer has ended its side. */
	messagesEnd(): void;
	/** The bytes are no valid messages. Nothing follows. */
	malformed(code: Code, message: string): void;
}

/**
 * Cuts a stream's bytes into messages, and inflates them, in order (PROTOCOL-HTTP2, "Length-Prefixed-Message").
 * While it is held, or inflates, it pauses the stream, so that what it buffers is bounded by the flow-control window.
 */
export class MessageReader {
	readonly #stream: Pick<Stream, "pause" | "resume">;
	readonly #owner: MessageReaderOwner;
	readonly #maxBytes: number;
	#encoding: string | undefined;
	/** What is read from: `#at` is where the next message begins. */
	#bytes: Uint8Array = NOTHING;
	#at = 0;
	/** What has come behind that. */
	#more: Uint8Array[] = NO_CHUNKS;
	/** All that is yet to be read. */
	#buffered = 0;
	/** Of it, what the next step takes: a prefix, or a prefix and its message. */
	#needed = PREFIX_BYTES;
	#state: "reading" | "delivering" | "inflating" | "done" = "reading";
	#held = false;
	#ended = false;

	/** `maxBytes`: of one message, inflated. */
	constructor(
		stream: Pick<Stream, "pause" | "resume">,
		owner: MessageReaderOwner,
		maxBytes: number,
	) {
		this.#stream = stream;
		this.#owner = owner;
		this.#maxBytes = maxBytes;
	}

	/** The peer's `grpc-encoding`; undefined or "identity" when it compresses nothing. */
	set encoding(encoding: string | undefined) {
		this.#encoding = encoding;
	}

	push(chunk: Uint8Array): void {
		if (this.#state === "done") return;
		if (this.#buffered === 0) {
			this.#bytes = chunk;
			this.#at = 0;
		} else {
			if (this.#more === NO_CHUNKS) this.#more = [chunk];
			else this.#more.push(chunk);
		}
		this.#buffered += chunk.length;
		if (this.#buffered >= this.#needed) this.#deliver();
	}

	/** The peer has ended its side. */
	end(): void {
		this.#ended = true;
		this.#deliver();
	}

	/** Delivers nothing, and stops the peer, until `release`. */
	hold(): void {
		if (this.#held) return;
		this.#held = true;
		this.#stream.pause();
	}

	release(): void {
		if (!this.#held) return;
		this.#held = false;
		this.#deliver();
		this.#resume();
	}

	/** Drops what is buffered and delivers nothing more. */
	stop(): void {
		this.#state = "done";
		this.#bytes = NOTHING;
		this.#more = NO_CHUNKS;
	}

	#deliver(): void {
		if (this.#state !== "reading") return;
		this.#state = "delivering";
		while (!this.#held && this.#state === "delivering" && this.#hasNext()) {
			this.#openNext();
		}
		if (this.#state !== "delivering") return;
		this.#state = "reading";
		if (this.#ended && !this.#held) this.#finish();
	}

	/** Whether a whole message is there; not when there never can be one. */
	#hasNext(): boolean {
		if (this.#buffered < PREFIX_BYTES) return false;
		if (this.#needed === PREFIX_BYTES) {
			const length = this.#nextLength();
			if (length > this.#maxBytes) {
				this.#fail(
					Code.ResourceExhausted,
					`received a message of ${length} bytes, more than the limit of ${this.#maxBytes}`,
				);
				return false;
			}
			this.#needed = PREFIX_BYTES + length;
		}
		return this.#buffered >= this.#needed;
	}

	#nextLength(): number {
		this.#join(PREFIX_BYTES);
		const bytes = this.#bytes;
		const at = this.#at;
		return (
			(bytes[at + 1] as number) * 0x1000000 +
			(((bytes[at + 2] as number) << 16) |
				((bytes[at + 3] as number) << 8) |
				(bytes[at + 4] as number))
		);
	}

	/** Makes so many bytes stand in a row. */
	#join(length: number): void {
		if (this.#bytes.length - this.#at >= length) return;
		const rest = this.#bytes.subarray(this.#at);
		this.#bytes = Buffer.concat([rest, ...this.#more], this.#buffered);
		this.#at = 0;
		this.#more = NO_CHUNKS;
	}

	#openNext(): void {
		this.#join(this.#needed);
		const bytes = this.#bytes;
		const flag = bytes[this.#at];
		// The bytes fields of messages are parts of this, and Uint8Arrays to their users: no Buffer, which is unlike any other.
		const payload = new Uint8Array(
			bytes.buffer,
			bytes.byteOffset + this.#at + PREFIX_BYTES,
			this.#needed - PREFIX_BYTES,
		);
		this.#at += this.#needed;
		this.#buffered -= this.#needed;
		this.#needed = PREFIX_BYTES;
		// A stream that is silent for long keeps none of it.
		if (this.#buffered === 0) this.#bytes = NOTHING;
		this.#open(flag as number, payload);
	}

	#open(flag: number, payload: Uint8Array): void {
		if (flag === 0) {
			this.#owner.message(payload);
		} else if (flag !== 1) {
			this.#fail(
				Code.Internal,
				`received a message with the flags 0x${flag.toString(16)}: gRPC knows 0 and 1`,
			);
		} else if (this.#encoding !== "gzip") {
			this.#fail(
				Code.Internal,
				this.#encoding === undefined || this.#encoding === "identity"
					? "received a compressed message without a grpc-encoding"
					: `received a message compressed with "${this.#encoding}": only gzip is accepted`,
			);
		} else if (payload.length <= INFLATE_AT_ONCE_BYTES) {
			let message: Uint8Array;
			try {
				message = inflateAtOnce(payload, this.#maxBytes);
			} catch (error) {
				this.#failInflating(error);
				return;
			}
			this.#owner.message(asBytes(message));
		} else {
			void this.#inflate(payload);
		}
	}

	async #inflate(payload: Uint8Array): Promise<void> {
		this.#state = "inflating";
		this.#stream.pause();
		try {
			const message = await inflate(payload, this.#maxBytes);
			if (this.#state !== "inflating") return;
			this.#owner.message(asBytes(message));
		} catch (error) {
			if (this.#state === "inflating") this.#failInflating(error);
			return;
		}
		if (this.#state !== "inflating") return;
		this.#state = "reading";
		this.#deliver();
		this.#resume();
	}

	/** Unless there is a reason to stand still. "delivering": released by whoever a message was delivered to. */
	#resume(): void {
		const moving = this.#state === "reading" || this.#state === "delivering";
		if (moving && !this.#held) this.#stream.resume();
	}

	#failInflating(error: unknown): void {
		if (error instanceof InflatesTooLarge) {
			this.#fail(
				Code.ResourceExhausted,
				`received a message that inflates to more than the limit of ${this.#maxBytes} bytes`,
			);
		} else {
			this.#fail(Code.Internal, (error as Error).message);
		}
	}

	#finish(): void {
		if (this.#buffered > 0) {
			this.#fail(
				Code.Internal,
				`the stream ended inside a message: ${this.#buffered} of ${this.#buffered < PREFIX_BYTES ? "at least 5" : this.#needed} bytes arrived`,
			);
			return;
		}
		this.stop();
		this.#owner.messagesEnd();
	}

	#fail(code: Code, message: string): void {
		this.stop();
		this.#owner.malformed(code, message);
	}
}

/** No Buffer, which is unlike any other Uint8Array. */
function asBytes({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
	return new Uint8Array(buffer, byteOffset, length);
}
