import { Code } from "@connectrpc/connect";
import type { Stream } from "./connection.ts";
import {
	INFLATE_AT_ONCE_BYTES,
	InflatesTooLarge,
	inflate,
	inflateAtOnce,
} from "./gzip.ts";

const PREFIX_BYTES = 5;

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
	#chunks: Uint8Array[] = [];
	#buffered = 0;
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
		this.#chunks.push(chunk);
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
		this.#chunks = [];
	}

	#deliver(): void {
		if (this.#state !== "reading") return;
		this.#state = "delivering";
		while (!this.#held && this.#state === "delivering") {
			const frame = this.#nextFrame();
			if (frame === undefined) break;
			this.#open(frame);
		}
		if (this.#state !== "delivering") return;
		this.#state = "reading";
		if (this.#ended && !this.#held) this.#finish();
	}

	/** The next whole frame; undefined when there is none yet, or it never can be. */
	#nextFrame(): Uint8Array | undefined {
		if (this.#buffered < this.#needed) return undefined;
		const bytes = this.#joined();
		const length =
			(bytes[1] as number) * 0x1000000 +
			(((bytes[2] as number) << 16) |
				((bytes[3] as number) << 8) |
				(bytes[4] as number));
		if (length > this.#maxBytes) {
			this.#fail(
				Code.ResourceExhausted,
				`received a message of ${length} bytes, more than the limit of ${this.#maxBytes}`,
			);
			return undefined;
		}
		this.#needed = PREFIX_BYTES + length;
		if (bytes.length < this.#needed) return undefined;
		const frame = bytes.subarray(0, this.#needed);
		this.#buffered -= this.#needed;
		this.#chunks = this.#buffered === 0 ? [] : [bytes.subarray(this.#needed)];
		this.#needed = PREFIX_BYTES;
		return frame;
	}

	#joined(): Uint8Array {
		if (this.#chunks.length > 1) {
			this.#chunks = [Buffer.concat(this.#chunks, this.#buffered)];
		}
		return this.#chunks[0] as Uint8Array;
	}

	#open(frame: Uint8Array): void {
		const flag = frame[0] as number;
		const payload = frame.subarray(PREFIX_BYTES);
		if (flag === 0) {
			this.#owner.message(asBytes(payload));
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

/** The bytes fields of messages are parts of this, and Uint8Arrays to their users: no Buffer, which is unlike any other. */
function asBytes({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
	return new Uint8Array(buffer, byteOffset, length);
}
