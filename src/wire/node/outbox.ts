import type { Http2Stream } from "node:http2";
import { frameOf, PREFIX_BYTES, writeFrame } from "../message-frame.ts";

/** Small messages wait for the end of the tick, to leave together; from this many bytes on they leave at once. */
const FLUSH_BYTES = 32 * 1024;

/** Up to this many bytes, copying messages together is cheaper than handing each to the socket. */
const JOIN_BYTES = 64 * 1024;

/** Sends the messages of one `Http2Stream`, those of one tick together. */
export class Outbox {
	readonly #http2: Http2Stream;
	#messages: Uint8Array[] = [];
	/** For each message, whether it is compressed. */
	#flags: boolean[] = [];
	/** Bytes of the waiting messages, with their prefixes. */
	#queuedBytes = 0;
	#isScheduled = false;
	#isFull = false;

	constructor(http2: Http2Stream) {
		this.#http2 = http2;
	}

	/** Returns false when the stream is full. It stays full until its "drain" event, after which `drained` is called. */
	write(message: Uint8Array, compressed: boolean): boolean {
		this.#messages.push(message);
		this.#flags.push(compressed);
		this.#queuedBytes += PREFIX_BYTES + message.length;
		if (this.#queuedBytes >= FLUSH_BYTES) {
			this.#flush();
		} else if (!this.#isScheduled) {
			this.#isScheduled = true;
			process.nextTick(Outbox.#flushLater, this);
		}
		return !this.#isFull;
	}

	get isFull(): boolean {
		return this.#isFull;
	}

	drained(): void {
		this.#isFull = false;
	}

	/** Ends this side of the stream behind the messages. */
	end(): void {
		if (this.#messages.length > 0 && this.#canJoin) {
			endStream(this.#http2, this.#takeJoined());
			return;
		}
		if (this.#messages.length > 0) this.#flush();
		endStream(this.#http2, undefined);
	}

	static #flushLater(outbox: Outbox): void {
		outbox.#isScheduled = false;
		if (outbox.#messages.length > 0) outbox.#flush();
	}

	#flush(): void {
		if (isGone(this.#http2)) this.#take();
		else if (this.#canJoin) this.#write(this.#takeJoined());
		else this.#writeEach();
	}

	get #canJoin(): boolean {
		return this.#messages.length === 1 || this.#queuedBytes <= JOIN_BYTES;
	}

	/** All messages that wait, in one buffer. */
	#takeJoined(): Uint8Array {
		const bytes = this.#queuedBytes;
		const { messages, flags } = this.#take();
		if (messages.length === 1) {
			return frameOf(messages[0] as Uint8Array, flags[0] as boolean);
		}
		const joined = Buffer.allocUnsafe(bytes);
		let at = 0;
		for (let i = 0; i < messages.length; i++) {
			const message = messages[i] as Uint8Array;
			at = writeFrame(joined, at, message, flags[i] as boolean);
		}
		return joined;
	}

	#writeEach(): void {
		const { messages, flags } = this.#take();
		this.#http2.cork();
		for (let i = 0; i < messages.length; i++) {
			this.#write(frameOf(messages[i] as Uint8Array, flags[i] as boolean));
		}
		this.#http2.uncork();
	}

	#write(bytes: Uint8Array): void {
		if (!this.#http2.write(bytes)) this.#isFull = true;
	}

	#take(): { messages: Uint8Array[]; flags: boolean[] } {
		const taken = { messages: this.#messages, flags: this.#flags };
		this.#messages = [];
		this.#flags = [];
		this.#queuedBytes = 0;
		return taken;
	}
}

/** Ends this side of a stream, after `last`, if given. */
export function endStream(
	http2: Http2Stream,
	last: Uint8Array | undefined,
): void {
	if (isGone(http2)) return;
	if (last === undefined) http2.end();
	else http2.end(last);
}

function isGone(http2: Http2Stream): boolean {
	return http2.destroyed || http2.closed;
}

/**
 * RST_STREAM, and nothing before it. Http2Stream.close() would first end the writable side: its END_STREAM would reach the
 * peer ahead of the reset, and a server would take a cancelled upload for a complete one.
 */
export function resetStream(http2: Http2Stream, code: number): void {
	if (isGone(http2)) return;
	http2.end = () => http2;
	http2.close(code);
}

/**
 * For the "end" event. Node keeps a stream that its peer closes with NO_ERROR until its writable side has finished: for
 * ever, if `resetStream` was called before, or if flow control holds back what the peer will never read.
 */
export function leaveClosed(http2: Http2Stream): void {
	if (http2.closed && !http2.writableFinished) http2.destroy();
}
