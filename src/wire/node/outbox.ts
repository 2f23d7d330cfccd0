import type { Http2Stream } from "node:http2";

/** Small writes wait for the end of the tick, to leave together; from this many bytes on they leave at once. */
const FLUSH_BYTES = 32 * 1024;

/** Up to this many bytes, copying the parts together is cheaper than handing each to the socket. */
const JOIN_BYTES = 64 * 1024;

/** The bytes that leave on one `Http2Stream`. */
export class Outbox {
	readonly #http2: Http2Stream;
	#queue: Uint8Array[] = [];
	#queuedBytes = 0;
	#scheduled = false;
	#full = false;

	constructor(http2: Http2Stream) {
		this.#http2 = http2;
	}

	/** false: full, until the stream's "drain" and `drained`. */
	write(chunk: Uint8Array): boolean {
		this.#queue.push(chunk);
		this.#queuedBytes += chunk.length;
		if (this.#queuedBytes >= FLUSH_BYTES) {
			this.#flush();
		} else if (!this.#scheduled) {
			this.#scheduled = true;
			process.nextTick(Outbox.#flushLater, this);
		}
		return !this.#full;
	}

	drained(): void {
		this.#full = false;
	}

	end(last: Uint8Array | undefined): void {
		if (this.#queue.length > 0) this.#flush();
		endStream(this.#http2, last);
	}

	static #flushLater(outbox: Outbox): void {
		outbox.#scheduled = false;
		if (outbox.#queue.length > 0) outbox.#flush();
	}

	#flush(): void {
		const queue = this.#queue;
		const bytes = this.#queuedBytes;
		this.#queue = [];
		this.#queuedBytes = 0;
		if (isGone(this.#http2)) return;
		if (queue.length === 1 || bytes <= JOIN_BYTES) {
			const joined =
				queue.length === 1
					? (queue[0] as Uint8Array)
					: Buffer.concat(queue, bytes);
			if (!this.#http2.write(joined)) this.#full = true;
			return;
		}
		this.#http2.cork();
		for (const chunk of queue) {
			if (!this.#http2.write(chunk)) this.#full = true;
		}
		this.#http2.uncork();
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
 * RST_STREAM, and nothing before it. Http2Stream.close() would first end the writable side: its END_STREAM reaches the
 * peer ahead of the reset, and a server would take a cancelled upload for a complete one.
 */
export function resetStream(http2: Http2Stream, code: number): void {
	if (isGone(http2)) return;
	http2.end = () => http2;
	http2.close(code);
}

/**
 * For the "end" event. A stream that its peer closes with NO_ERROR is kept by Node until its writable side has finished:
 * for ever, if `resetStream` has been here before, or if flow control holds back what the peer will never read.
 */
export function leaveClosed(http2: Http2Stream): void {
	if (http2.closed && !http2.writableFinished) http2.destroy();
}
