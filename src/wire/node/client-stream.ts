import type { ClientHttp2Stream } from "node:http2";
import {
	Http2Code,
	type RawHeaders,
	type RequestProgress,
	type Stream,
	type StreamListener,
} from "../connection.ts";
import { directPush, readOn } from "./direct-push.ts";
import { endStream, leaveClosed, Outbox, resetStream } from "./outbox.ts";

/** What a stream asks of its connection. */
export interface StreamOwner {
	/** How far a stream got that the peer did not end. */
	progressOf(http2: ClientHttp2Stream): RequestProgress;
	/** Why the connection is gone; undefined while it is not. */
	readonly lossOf: Error | undefined;
	/** Headers or data of a response have come. */
	responded(): void;
	/** Of every stream, once. */
	streamClosed(stream: NodeClientStream): void;
}

/** END_STREAM, as the flags of a "response" event have it. */
const END_STREAM = 0x1;

const NO_TRAILERS: RawHeaders = [];

const owner: unique symbol = Symbol("owner");
type Owned = ClientHttp2Stream & { [owner]: NodeClientStream | undefined };

/** One request and its response. */
export class NodeClientStream implements Stream {
	readonly #http2: ClientHttp2Stream;
	readonly #connection: StreamOwner;
	/** Made when it is needed: a unary request leaves in one piece. */
	#outbox: Outbox | undefined;
	#listener: StreamListener | undefined;
	#trailers: RawHeaders | undefined;
	#hasHeaders = false;
	/** Data that was told before the headers: Node does so on sockets that are streams of JavaScript, Deno on all. */
	#early: Uint8Array[] | undefined;
	#paused = false;

	constructor(
		http2: ClientHttp2Stream,
		listener: StreamListener,
		connection: StreamOwner,
	) {
		this.#http2 = http2;
		this.#listener = listener;
		this.#connection = connection;
		(http2 as Owned)[owner] = this;
		http2.on("response", onResponse as () => void);
		http2.push = push as typeof http2.push;
		http2.on("data", onData);
		http2.on("trailers", onTrailers as () => void);
		http2.on("end", onEnd);
		http2.on("error", onError);
		http2.on("close", onClose);
	}

	write(chunk: Uint8Array): boolean {
		this.#outbox ??= this.#openOutbox();
		return this.#outbox.write(chunk);
	}

	end(last?: Uint8Array): void {
		if (this.#outbox === undefined) endStream(this.#http2, last);
		else this.#outbox.end(last);
	}

	reset(code: number): void {
		this.#listener = undefined;
		resetStream(this.#http2, code);
	}

	pause(): void {
		this.#paused = true;
	}

	resume(): void {
		if (!this.#paused) return;
		this.#paused = false;
		readOn(this.#http2);
	}

	heardHeaders(headers: RawHeaders, endStream: boolean): void {
		this.#connection.responded();
		if (endStream) this.#trailers = NO_TRAILERS;
		this.#hasHeaders = true;
		this.#listener?.headers(headers, endStream);
		if (this.#early === undefined) return;
		for (const chunk of this.#early) this.#listener?.data(chunk);
		this.#early = undefined;
	}

	/** Whether more is welcome. */
	heardData(chunk: Uint8Array): boolean {
		this.#connection.responded();
		if (this.#hasHeaders) this.#listener?.data(chunk);
		else {
			this.#early ??= [];
			this.#early.push(chunk);
		}
		return !this.#paused;
	}

	heardTrailers(trailers: RawHeaders): void {
		this.#trailers = trailers;
	}

	/** "end" comes after a reset and after a lost connection, too: "close" tells of them. */
	heardEnd(): void {
		const http2 = this.#http2;
		if (this.#trailers !== undefined) {
			this.#finish(this.#trailers);
		} else if (!http2.destroyed && http2.rstCode === Http2Code.NO_ERROR) {
			// Without trailers, unless they are still to be told.
			setImmediate(() => this.#finish(this.#trailers ?? NO_TRAILERS));
		}
		leaveClosed(http2);
	}

	heardDrain(): void {
		this.#outbox?.drained();
		this.#listener?.writable();
	}

	heardClose(): void {
		// Node keeps its stream for longer than it is of use: not so what hangs on it.
		(this.#http2 as Owned)[owner] = undefined;
		this.#connection.streamClosed(this);
		const { rstCode } = this.#http2;
		const cause = this.#connection.lossOf;
		if (
			this.#trailers !== undefined ||
			(cause === undefined && rstCode === Http2Code.NO_ERROR)
		) {
			this.#finish(this.#trailers ?? NO_TRAILERS);
			return;
		}
		const listener = this.#listener;
		this.#listener = undefined;
		listener?.reset({
			code: rstCode,
			progress: this.#connection.progressOf(this.#http2),
			cause,
		});
	}

	#openOutbox(): Outbox {
		this.#http2.on("drain", onDrain);
		return new Outbox(this.#http2);
	}

	#finish(trailers: RawHeaders): void {
		const listener = this.#listener;
		this.#listener = undefined;
		// What flow control still holds up, a peer that has ended may never come to read.
		if (this.#http2.writableLength > 0) {
			resetStream(this.#http2, Http2Code.CANCEL);
		}
		listener?.end(trailers);
	}
}

// One function for all streams, rather than seven closures for each.

function onResponse(
	this: Owned,
	_headers: unknown,
	flags: number,
	raw: RawHeaders,
): void {
	this[owner]?.heardHeaders(raw, (flags & END_STREAM) !== 0);
}

const push = directPush<Owned>(
	(http2, chunk) => http2[owner]?.heardData(chunk) ?? true,
);

/** Makes the stream flow; where `push` is Node's own, bytes come here. */
function onData(this: Owned, chunk: Uint8Array): void {
	this[owner]?.heardData(chunk);
}

function onTrailers(
	this: Owned,
	_headers: unknown,
	_flags: number,
	raw: RawHeaders,
): void {
	this[owner]?.heardTrailers(raw);
}

function onEnd(this: Owned): void {
	this[owner]?.heardEnd();
}

function onDrain(this: Owned): void {
	this[owner]?.heardDrain();
}

/** "close" follows, and says all there is to know. */
function onError(): void {}

function onClose(this: Owned): void {
	this[owner]?.heardClose();
}
