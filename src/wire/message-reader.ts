import { Code } from "@connectrpc/connect";
import { GatheredBytes } from "./gathered-bytes.ts";
import { InflatesTooLarge, inflateAtOnce } from "./gzip/gzip.ts";
import { inflate, type StoppableWork } from "./gzip/gzip-work.ts";
import type { Turns } from "./gzip/turns.ts";
import { PREFIX_BYTES } from "./message-frame.ts";

const NOTHING = new Uint8Array(0);

/** The stream that messages are read from, and the one that hears them. In an engine they are one object. */
export interface MessageReaderOwner {
	/** The peer's `grpc-encoding`; undefined or "identity" if it compresses nothing. Read for compressed messages only. */
	readonly encoding: string | undefined;
	/** Stops reading. The peer stops once its flow-control window is full. */
	pause(): void;
	resume(): void;
	message(message: Uint8Array): void;
	/** Every message has been delivered, and no more follow. */
	messagesEnd(): void;
	/** The bytes are not valid messages. Nothing follows. */
	malformed(code: Code, message: string): void;
}

/**
 * Cuts the bytes of a stream into messages, and inflates them, in order (PROTOCOL-HTTP2, "Length-Prefixed-Message").
 * While it is held or inflates, it pauses the stream, so that the flow-control window limits what it buffers.
 * Whole messages are not copied. Bytes that have to wait are gathered, so that their memory is in proportion to their
 * number.
 */
export class MessageReader {
	readonly #owner: MessageReaderOwner;
	readonly #maxBytes: number;
	readonly #inflations: Turns;
	/** Bytes that wait. */
	readonly #gathered = new GatheredBytes();
	/** The newest chunk, which is read after those, from `#at` on. */
	#chunk: Uint8Array = NOTHING;
	#at = 0;
	/** Bytes that the next step needs: a prefix, or a prefix and its message. */
	#needed = PREFIX_BYTES;
	#state: "reading" | "delivering" | "inflating" | "done" = "reading";
	#inflation: StoppableWork | undefined;
	#inflatingBytes = 0;
	#held = false;
	#ended = false;
	#isCut = false;

	/** `maxBytes`: limit for one message, inflated. `inflations`: where inflations on other threads wait for their turn. */
	constructor(owner: MessageReaderOwner, maxBytes: number, inflations: Turns) {
		this.#owner = owner;
		this.#maxBytes = maxBytes;
		this.#inflations = inflations;
	}

	push(chunk: Uint8Array): void {
		if (this.#state === "done") return;
		if (this.#state === "delivering") this.#keepRest();
		this.#chunk = chunk;
		this.#at = 0;
		this.#deliver();
		this.#keepRest();
	}

	/** The peer has ended its side. */
	end(): void {
		this.#ended = true;
		this.#deliver();
	}

	/** Nothing more will come, although the peer has not ended its side. An incomplete message is dropped. */
	cut(): void {
		this.#isCut = true;
		this.end();
	}

	/** Delivers nothing, and pauses the stream, until `release`. */
	hold(): void {
		if (this.#held) return;
		this.#held = true;
		this.#owner.pause();
	}

	release(): void {
		if (!this.#held) return;
		this.#held = false;
		this.#deliver();
		this.#resume();
	}

	/** Drops what is buffered, and delivers nothing more. */
	stop(): void {
		this.#state = "done";
		this.#gathered.clear();
		this.#chunk = NOTHING;
		this.#at = 0;
		this.#inflation?.stop();
		this.#inflatingBytes = 0;
	}

	/** Memory of what has arrived and has not been delivered, in bytes. */
	get waitingBytes(): number {
		return (
			this.#gathered.size + this.#chunk.length - this.#at + this.#inflatingBytes
		);
	}

	/** A message has begun, and the peer still has to send the rest of it. */
	get isInMessage(): boolean {
		return this.#state === "reading" && !this.#held && this.#buffered > 0;
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

	get #buffered(): number {
		return this.#gathered.length + this.#chunk.length - this.#at;
	}

	/** Whether a whole message is there. Fails the reader if the message is too large. */
	#hasNext(): boolean {
		if (!this.#isThere(this.#needed)) return false;
		if (this.#needed > PREFIX_BYTES) return true;
		const length = this.#nextLength();
		if (length > this.#maxBytes) {
			this.#fail(
				Code.ResourceExhausted,
				`received a message of ${length} bytes, more than the limit of ${this.#maxBytes}`,
			);
			return false;
		}
		this.#needed = PREFIX_BYTES + length;
		return this.#isThere(this.#needed);
	}

	/** Whether `count` bytes are there. If so, they are contiguous. */
	#isThere(count: number): boolean {
		const gathered = this.#gathered.length;
		if (gathered === 0) return this.#chunk.length - this.#at >= count;
		if (gathered < count) this.#gather(this.#at + count - gathered);
		return this.#gathered.length >= count;
	}

	#gather(until: number): void {
		const piece = this.#chunk.subarray(this.#at, until);
		if (piece.length === 0) return;
		this.#gathered.append(piece, this.#needed);
		this.#at += piece.length;
	}

	/** Copies the rest of the chunk, so that the chunk itself can be freed. */
	#keepRest(): void {
		this.#gather(this.#chunk.length);
		this.#chunk = NOTHING;
		this.#at = 0;
	}

	#nextLength(): number {
		let length = 0;
		for (let i = 1; i < PREFIX_BYTES; i++) {
			length = length * 256 + this.#nextByte(i);
		}
		return length;
	}

	#nextByte(index: number): number {
		return this.#gathered.length > 0
			? this.#gathered.at(index)
			: (this.#chunk[this.#at + index] as number);
	}

	#openNext(): void {
		const flag = this.#nextByte(0);
		const payload = this.#takeNext(this.#needed - PREFIX_BYTES);
		this.#needed = PREFIX_BYTES;
		this.#open(flag, payload);
	}

	/** Returns a plain Uint8Array: users see parts of it as bytes fields, and a Buffer behaves differently in places. */
	#takeNext(length: number): Uint8Array {
		if (this.#gathered.length > 0) {
			this.#gathered.take(PREFIX_BYTES);
			return this.#gathered.take(length);
		}
		const { buffer, byteOffset } = this.#chunk;
		const at = this.#at + PREFIX_BYTES;
		this.#at = at + length;
		return new Uint8Array(buffer, byteOffset + at, length);
	}

	#open(flag: number, payload: Uint8Array): void {
		if (flag === 0) {
			this.#owner.message(payload);
		} else if (flag !== 1) {
			this.#fail(
				Code.Internal,
				`received a message with the flags 0x${flag.toString(16)}: gRPC knows 0 and 1`,
			);
		} else {
			this.#openCompressed(payload);
		}
	}

	#openCompressed(payload: Uint8Array): void {
		const { encoding } = this.#owner;
		if (encoding !== "gzip") {
			this.#fail(
				Code.Internal,
				encoding === undefined || encoding === "identity"
					? "received a compressed message without a grpc-encoding"
					: `received a message compressed with "${encoding}": only gzip is accepted`,
			);
			return;
		}
		let message: Uint8Array | undefined;
		try {
			message = inflateAtOnce(payload, this.#maxBytes);
		} catch (error) {
			this.#failInflating(error);
			return;
		}
		if (message === undefined) this.#inflate(payload);
		else this.#owner.message(asBytes(message));
	}

	#inflate(payload: Uint8Array): void {
		this.#state = "inflating";
		this.#owner.pause();
		this.#inflatingBytes = payload.length;
		this.#inflation = inflate(this.#inflations, payload, this.#maxBytes, {
			done: (message) => {
				this.#inflation = undefined;
				this.#inflatingBytes = 0;
				this.#owner.message(asBytes(message));
				if (this.#state !== "inflating") return;
				this.#state = "reading";
				this.#deliver();
				this.#resume();
			},
			failed: (error) => this.#failInflating(error),
		});
	}

	/** Does nothing while held or inflating. In state "delivering", the receiver of a message has called `release`. */
	#resume(): void {
		const moving = this.#state === "reading" || this.#state === "delivering";
		if (moving && !this.#held) this.#owner.resume();
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
		if (this.#buffered > 0 && !this.#isCut) {
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

/** A plain Uint8Array, as a Buffer behaves differently in places. */
function asBytes({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
	return new Uint8Array(buffer, byteOffset, length);
}
