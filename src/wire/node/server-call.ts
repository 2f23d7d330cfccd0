import { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import type { Code } from "@connectrpc/connect";
import type {
	RequestTerms,
	ServerCall,
	ServerCallListener,
} from "../connection.ts";
import type { RawHeaders } from "../headers.ts";
import { Http2Code } from "../http2-code.ts";
import { frameOf, onlyMessageOf } from "../message-frame.ts";
import { MessageReader, type MessageReaderOwner } from "../message-reader.ts";
import { directPush, readOn } from "./direct-push.ts";
import { toHeaderList, toHeaderObject } from "./header-list.ts";
import { endStream, leaveClosed, Outbox, resetStream } from "./outbox.ts";

/** What a call asks of its connection, and tells it. */
export interface CallHost {
	/** Limit that the client sets for headers, in bytes. */
	readonly maxHeaderBytes: number;
	/** Why the connection is gone; undefined while it is not. */
	readonly lossOf: Error | undefined;
	/** A part of a request has arrived. */
	tell(): void;
	/** The client has reset a stream that was open. */
	streamReset(): void;
	/** A stream does not count as open any more (RFC 9113 section 5.1.2). Called once for every stream. */
	streamOver(): void;
}

const call: unique symbol = Symbol("call");
type Owned = ServerHttp2Stream & { [call]: NodeServerCall };

const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };
const WITHOUT_BODY = { endStream: true, sendDate: false };

const NO_TRAILERS: RawHeaders = [];

/** One call on one `ServerHttp2Stream`. It hears the stream, and cuts messages out of its data. */
export class NodeServerCall implements ServerCall, MessageReaderOwner {
	readonly #http2: ServerHttp2Stream;
	readonly #host: CallHost;
	#terms: RequestTerms | undefined;
	#listener: ServerCallListener | undefined;
	/** Created when it is needed: a unary response leaves in one piece. */
	#outbox: Outbox | undefined;
	/** Created when it is needed: a message that fills its chunk is read without it. */
	#reader: MessageReader | undefined;
	#trailers: RawHeaders | undefined;
	#isPaused = false;
	/** It counts towards the limit of open streams. */
	#isOpen = true;
	/** Nothing more is read: it was finished or cancelled, or the client has left. */
	#isFinished = false;
	/** The last piece of its response filled the stream. */
	#isFilled = false;

	constructor(http2: ServerHttp2Stream, host: CallHost) {
		this.#http2 = http2;
		this.#host = host;
		(http2 as Owned)[call] = this;
		http2.emit = emit as typeof http2.emit;
		http2.push = push as typeof http2.push;
	}

	/** Begins to read. What arrived before this object existed is told by a "data" event. */
	begin(): void {
		if (!this.#isGone) this.#http2.read();
	}

	// What the owner of the call does.

	get maxHeaderBytes(): number {
		return this.#host.maxHeaderBytes;
	}

	listen(terms: RequestTerms, listener: ServerCallListener): void {
		this.#terms = terms;
		this.#listener = listener;
	}

	respond(headers: RawHeaders): void {
		if (this.#isGone) return;
		this.#http2.respond(toHeaderList(headers), WITH_TRAILERS);
	}

	send(message: Uint8Array, compressed: boolean): boolean {
		this.#outbox ??= new Outbox(this.#http2);
		return this.#outbox.write(message, compressed);
	}

	finish(
		trailers: RawHeaders,
		last: Uint8Array | undefined,
		isLastCompressed: boolean,
	): void {
		this.#stopReading();
		if (this.#isGone) return;
		const http2 = this.#http2;
		this.resume();
		if (!http2.headersSent) {
			http2.respond(toHeaderList(trailers), WITHOUT_BODY);
			this.#over();
			this.#leave();
			return;
		}
		this.#trailers = trailers;
		if (this.#outbox !== undefined) {
			if (last !== undefined) this.#outbox.write(last, isLastCompressed);
			this.#outbox.end();
		} else if (last !== undefined) {
			endStream(http2, frameOf(last, isLastCompressed));
			this.#isFilled = http2.writableLength >= http2.writableHighWaterMark;
		} else {
			endStream(http2, undefined);
		}
	}

	cancel(): void {
		this.#listener = undefined;
		this.#stopReading();
		this.#over();
		resetStream(this.#http2, Http2Code.CANCEL);
	}

	hold(): void {
		if (!this.#isFinished) this.#openReader().hold();
	}

	release(): void {
		this.#reader?.release();
	}

	get isBlocked(): boolean {
		return !this.#isGone && (this.#isFilled || (this.#outbox?.isFull ?? false));
	}

	get waitingBytes(): number {
		return this.#reader?.waitingBytes ?? 0;
	}

	get isInMessage(): boolean {
		return this.#reader?.isInMessage ?? false;
	}

	// What the stream tells.

	/** Returns whether more is welcome. */
	heardData(chunk: Uint8Array): boolean {
		this.#host.tell();
		const listener = this.#listener;
		if (listener !== undefined && !this.#isFinished) {
			this.#read(chunk, listener);
		}
		return !this.#isPaused;
	}

	heardEnd(): void {
		if (!this.#http2.aborted && !this.#isFinished) {
			if (this.#reader === undefined) this.messagesEnd();
			else this.#reader.end();
		}
		leaveClosed(this.#http2);
	}

	heardDrain(): void {
		this.#outbox?.drained();
		this.#listener?.writable();
	}

	heardWantTrailers(): void {
		this.#http2.sendTrailers(toHeaderObject(this.#trailers ?? NO_TRAILERS));
		this.#over();
		this.#leave();
	}

	/** Also heard when all went well and the stream has closed. */
	heardAborted(): void {
		if (this.#isOpen) this.#host.streamReset();
		this.#over();
		const listener = this.#listener;
		this.#listener = undefined;
		if (this.#isFinished) {
			listener?.closed();
			return;
		}
		this.#stopReading();
		listener?.left({
			code: this.#http2.rstCode,
			progress: "processed",
			cause: this.#host.lossOf,
		});
	}

	// What the reader of messages tells, and asks.

	get encoding(): string | undefined {
		return this.#terms?.encoding;
	}

	message(message: Uint8Array): void {
		this.#listener?.message(message);
	}

	messagesEnd(): void {
		this.#listener?.messagesEnd();
	}

	malformed(code: Code, message: string): void {
		this.#listener?.malformed(code, message);
	}

	pause(): void {
		this.#isPaused = true;
	}

	resume(): void {
		if (!this.#isPaused) return;
		this.#isPaused = false;
		readOn(this.#http2);
	}

	get #isGone(): boolean {
		return this.#http2.destroyed || this.#http2.closed;
	}

	#read(chunk: Uint8Array, listener: ServerCallListener): void {
		const { maxMessageBytes } = this.#terms as RequestTerms;
		const only =
			this.#reader === undefined
				? onlyMessageOf(chunk, maxMessageBytes)
				: undefined;
		if (only !== undefined) listener.message(only);
		else this.#openReader().push(chunk);
		listener.arrived();
	}

	#openReader(): MessageReader {
		const { maxMessageBytes, inflations } = this.#terms as RequestTerms;
		this.#reader ??= new MessageReader(this, maxMessageBytes, inflations);
		return this.#reader;
	}

	#stopReading(): void {
		this.#isFinished = true;
		this.#reader?.stop();
	}

	/** The stream is closed, or about to close because nothing is left to send. */
	#over(): void {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		this.#host.streamOver();
	}

	/** Stops a client that is still sending although the response is complete (RFC 9113 section 8.1). */
	#leave(): void {
		const http2 = this.#http2;
		if (http2.readableEnded) return;
		// Node sends the trailers in an immediate, too.
		setImmediate(() => {
			if (!http2.readableEnded && !http2.destroyed) http2.close();
		});
	}
}

/** Replaces the `emit` of a stream, as on the client: listeners would cost more than this whole object. */
function emit(this: Owned, event: string, first: unknown): boolean {
	switch (event) {
		case "wantTrailers":
			this[call].heardWantTrailers();
			return true;
		case "data":
			this[call].heardData(first as Uint8Array);
			return true;
		case "end":
			this[call].heardEnd();
			break;
		case "drain":
			this[call].heardDrain();
			return true;
		// "close" follows, and says all there is to know.
		case "error":
			return true;
		case "aborted":
		case "close":
			this[call].heardAborted();
			break;
	}
	return EventEmitter.prototype.emit.call(this, event, first);
}

const push = directPush<Owned>((http2, chunk) => http2[call].heardData(chunk));
