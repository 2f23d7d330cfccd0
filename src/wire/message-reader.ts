import { Code } from "@connectrpc/connect";
import { GatheredBytes } from "./gathered-bytes.ts";
import { InflatesTooLarge, inflateAtOnce } from "./gzip/gzip.ts";
import { inflate, type StoppableWork } from "./gzip/gzip-work.ts";
import type { Turns } from "./gzip/turns.ts";
import { PREFIX_BYTES } from "./message-frame.ts";

const NOTHING = new Uint8Array(0);

/** The stream that messages are read from, and who hears them: in an engine, one object. */
export interface MessageReaderOwner {
	/** The peer's `grpc-encoding`; undefined or "identity" when it compresses nothing. Asked for at a compressed message. */
	readonly encoding: string | undefined;
	/** Stops reading, and so the peer, once its window is full. */
	pause(): void;
	resume(): void;
	message(message: Uint8Array): void;
	/** Every message has been delivered, and no more will come. */
	messagesEnd(): void;
	/** The bytes are no valid messages. Nothing follows. */
	malformed(code: Code, message: string): void;
}

/**
 * Cuts a stream's bytes into messages, and inflates them, in order (PROTOCOL-HTTP2, "Length-Prefixed-Message").
 * While it is held, or inflates, it pauses the stream, so that what it buffers is bounded by the flow-control window.
 * Whole messages are read where they lie; what has to wait is gathered, so that the memory it takes is in proportion to
 * its bytes.
 */
export class MessageReader {
	readonly #owner: MessageReaderOwner;
	readonly #maxBytes: number;
	readonly #inflations: Turns;
	/** What has come, and has to wait. */
	readonly #gathered = new GatheredBytes();
	/** What has come just now, and is read behind that. */
	#chunk: Uint8Array = NOTHING;
	#at = 0;
	/** What the next step takes: a prefix, or a prefix and its message. */
	#needed = PREFIX_BYTES;
	#state: "reading" | "delivering" | "inflating" | "done" = "reading";
	#inflation: StoppableWork | undefined;
	#inflatingBytes = 0;
	#held = false;
	#ended = false;
	#isCut = false;

	/** `maxBytes`: of one message, inflated. `inflations`: those on other threads. */
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

	/** No more will come, though the peer has not ended its side: a message that is not whole is dropped. */
	cut(): void {
		this.#isCut = true;
		this.end();
	}

	/** Delivers nothing, and stops the peer, until `release`. */
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

	/** Drops what is buffered and delivers nothing more. */
	stop(): void {
		this.#state = "done";
		this.#gathered.clear();
		this.#chunk = NOTHING;
		this.#at = 0;
		this.#inflation?.stop();
		this.#inflatingBytes = 0;
	}

	/** What that takes which has come, and has not been delivered. */
	get waitingBytes(): number {
		return (
			this.#gathered.size + this.#chunk.length - this.#at + this.#inflatingBytes
		);
	}

	/** A message has begun, and the rest of it is the peer's to send. */
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

	/** Whether a whole message is there; not when there never can be one. */
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

	/** Whether so many bytes are there. They then stand in a row. */
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

	/** Keeps what waits for longer than its chunk should stay. */
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

	/** The bytes fields of messages are parts of this, and Uint8Arrays to their users: no Buffer, which is unlike any other. */
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

	/** Unless there is a reason to stand still. "delivering": released by whoever a message was delivered to. */
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

/** No Buffer, which is unlike any other Uint8Array. */
function asBytes({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
	return new Uint8Array(buffer, byteOffset, length);
}
