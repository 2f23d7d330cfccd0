import { EventEmitter } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import type { Code } from "@connectrpc/connect";
import {
	endOfLoss,
	endOfReset,
	endOfResponse,
	isGrpcResponse,
	localEnd,
	statusOfForeign,
	statusOfMalformed,
} from "../call-end.ts";
import type {
	CallEnd,
	CallListener,
	CallStart,
	ClientCall,
	RequestProgress,
} from "../connection.ts";
import { headerOf, NO_HEADERS, type RawHeaders } from "../headers.ts";
import { Http2Code } from "../http2-code.ts";
import { frameOf, onlyMessageOf } from "../message-frame.ts";
import { MessageReader, type MessageReaderOwner } from "../message-reader.ts";
import type { Status } from "../status.ts";
import { directPush, readOn } from "./direct-push.ts";
import { endStream, leaveClosed, Outbox, resetStream } from "./outbox.ts";

/** What a call asks of its connection. */
export interface CallHost {
	/** How far a request got whose stream the server did not end. */
	progressOf(http2: ClientHttp2Stream): RequestProgress;
	/** Why the connection is gone; undefined while it is not. */
	readonly lossOf: Error | undefined;
	/** Headers or data of a response have arrived. */
	responded(): void;
	/** The stream of a call has closed. Called once for every call. */
	callClosed(call: NodeClientCall): void;
}

/** END_STREAM, in the flags of a "response" event. */
const END_STREAM = 0x1;

const call: unique symbol = Symbol("call");
type Owned = ClientHttp2Stream & { [call]: NodeClientCall | undefined };

/** One call on one `ClientHttp2Stream`. It hears the stream, cuts messages out of its data, and finds its status. */
export class NodeClientCall implements ClientCall, MessageReaderOwner {
	readonly #http2: ClientHttp2Stream;
	readonly #host: CallHost;
	readonly #start: CallStart;
	readonly #listener: CallListener;
	#state: "open" | "halfClosed" | "over" = "open";
	#headers: RawHeaders | undefined;
	#trailers: RawHeaders | undefined;
	/** How the stream ended, while messages that arrived before are still to be delivered. */
	#end: CallEnd | undefined;
	/** Created when it is needed: a unary request leaves in one piece. */
	#outbox: Outbox | undefined;
	/** Created when it is needed: a message that fills its chunk is read without it. */
	#reader: MessageReader | undefined;
	/** Data that was told before the headers: Node does so on sockets that are JavaScript streams, Deno on all. */
	#early: Uint8Array[] | undefined;
	#isPaused = false;

	constructor(
		http2: ClientHttp2Stream,
		start: CallStart,
		listener: CallListener,
		host: CallHost,
	) {
		this.#http2 = http2;
		this.#start = start;
		this.#listener = listener;
		this.#host = host;
		(http2 as Owned)[call] = this;
		http2.emit = emit as typeof http2.emit;
		http2.push = push as typeof http2.push;
		readOn(http2);
		const { request } = start;
		if (request === undefined) return;
		this.#state = "halfClosed";
		endStream(http2, frameOf(request, start.isRequestCompressed));
	}

	// What the owner of the call does.

	send(message: Uint8Array, compressed: boolean): boolean {
		if (this.#state !== "open") return false;
		// The server has ended the call: nobody reads what is sent now.
		if (this.#end !== undefined) return true;
		this.#outbox ??= new Outbox(this.#http2);
		return this.#outbox.write(message, compressed);
	}

	end(): void {
		if (this.#state !== "open") return;
		this.#state = "halfClosed";
		if (this.#outbox === undefined) endStream(this.#http2, undefined);
		else this.#outbox.end();
	}

	cancel(): void {
		if (this.#state === "over") return;
		this.#state = "over";
		this.#reader?.stop();
		resetStream(this.#http2, Http2Code.CANCEL);
	}

	hold(): void {
		if (this.#state !== "over") this.#openReader().hold();
	}

	release(): void {
		this.#reader?.release();
	}

	// What the stream tells.

	heardHeaders(headers: RawHeaders, isLast: boolean): void {
		this.#host.responded();
		if (this.#isDeaf) return;
		if (isLast) this.#trailers = headers;
		this.#headers = isLast ? NO_HEADERS : headers;
		if (!isGrpcResponse(headers)) {
			this.#giveUp(statusOfForeign(headers));
		} else if (!isLast) {
			this.#listener.headers(headers);
		}
		if (this.#early === undefined) return;
		const early = this.#early;
		this.#early = undefined;
		for (const chunk of early) this.#read(chunk);
	}

	/** Returns whether more is welcome. */
	heardData(chunk: Uint8Array): boolean {
		this.#host.responded();
		if (this.#headers !== undefined) {
			this.#read(chunk);
		} else {
			this.#early ??= [];
			this.#early.push(chunk);
		}
		return !this.#isPaused;
	}

	heardTrailers(trailers: RawHeaders): void {
		this.#trailers = trailers;
	}

	/** "end" also comes after a reset and after the loss of the connection: "close" tells of them. */
	heardEnd(): void {
		const http2 = this.#http2;
		if (this.#trailers !== undefined) {
			this.#endResponse();
		} else if (!http2.destroyed && http2.rstCode === Http2Code.NO_ERROR) {
			// There are no trailers, unless they are still to be told.
			setImmediate(() => this.#endResponse());
		}
		leaveClosed(http2);
	}

	heardDrain(): void {
		this.#outbox?.drained();
		if (!this.#isDeaf) this.#listener.writable();
	}

	heardClose(): void {
		// Node keeps its stream for longer than it is needed; what hangs on it should not stay as long.
		(this.#http2 as Owned)[call] = undefined;
		this.#host.callClosed(this);
		const { rstCode } = this.#http2;
		const cause = this.#host.lossOf;
		if (
			this.#trailers !== undefined ||
			(cause === undefined && rstCode === Http2Code.NO_ERROR)
		) {
			this.#endResponse();
			return;
		}
		if (this.#isDeaf) return;
		const progress = this.#host.progressOf(this.#http2);
		const headers = this.#headers ?? NO_HEADERS;
		this.#end =
			cause === undefined
				? endOfReset(rstCode, progress, headers)
				: endOfLoss(cause, progress, headers);
		// Messages that have arrived are delivered first, however slow their reader.
		if (this.#reader === undefined) this.messagesEnd();
		else this.#reader.cut();
		this.#stopSending();
	}

	// What the reader of messages tells, and asks.

	get encoding(): string | undefined {
		return headerOf(this.#headers ?? NO_HEADERS, "grpc-encoding");
	}

	message(message: Uint8Array): void {
		this.#listener.message(message);
	}

	messagesEnd(): void {
		if (this.#end !== undefined) this.#finish(this.#end);
	}

	malformed(code: Code, message: string): void {
		this.#giveUp(statusOfMalformed(code, message));
	}

	pause(): void {
		this.#isPaused = true;
	}

	resume(): void {
		if (!this.#isPaused) return;
		this.#isPaused = false;
		readOn(this.#http2);
	}

	/** Whether nothing that the stream still tells matters. */
	get #isDeaf(): boolean {
		return this.#state === "over" || this.#end !== undefined;
	}

	#read(chunk: Uint8Array): void {
		if (this.#isDeaf) return;
		if (this.#reader === undefined) {
			const only = onlyMessageOf(chunk, this.#start.maxMessageBytes);
			if (only !== undefined) {
				this.#listener.message(only);
				return;
			}
		}
		this.#openReader().push(chunk);
	}

	#openReader(): MessageReader {
		this.#reader ??= new MessageReader(
			this,
			this.#start.maxMessageBytes,
			this.#start.inflations,
		);
		return this.#reader;
	}

	/** The server has ended its side. */
	#endResponse(): void {
		if (this.#isDeaf) return;
		// A server that has ended may never read what flow control still holds back.
		if (this.#http2.writableLength > 0) {
			resetStream(this.#http2, Http2Code.CANCEL);
		}
		this.#end = endOfResponse(
			this.#headers ?? NO_HEADERS,
			this.#trailers ?? NO_HEADERS,
		);
		if (this.#reader === undefined) this.messagesEnd();
		else this.#reader.end();
		this.#stopSending();
	}

	/** A writer need not wait for room while messages wait for their reader: the two may be the same. */
	#stopSending(): void {
		if (this.#state !== "over" && this.#outbox?.isFull) {
			this.#listener.writable();
		}
	}

	/** Ends the call because of what the server sent. */
	#giveUp(status: Status): void {
		if (this.#state === "over") return;
		this.#reader?.stop();
		resetStream(this.#http2, Http2Code.CANCEL);
		this.#finish(
			localEnd(
				status,
				this.#headers ?? NO_HEADERS,
				this.#trailers ?? NO_HEADERS,
			),
		);
	}

	#finish(end: CallEnd): void {
		const state = this.#state;
		if (state === "over") return;
		this.#state = "over";
		// The server has answered before the request was whole: nobody reads the rest.
		if (state === "open") resetStream(this.#http2, Http2Code.CANCEL);
		this.#listener.end(end);
	}
}

/**
 * Replaces the `emit` of a stream. Node emits an event for every listener that is added, so the six listeners that a
 * stream would need cost more than this whole object.
 */
function emit(
	this: Owned,
	event: string,
	first: unknown,
	second: unknown,
	third: unknown,
): boolean {
	const heard = this[call];
	switch (event) {
		case "response":
			heard?.heardHeaders(
				third as RawHeaders,
				((second as number) & END_STREAM) !== 0,
			);
			return true;
		case "trailers":
			heard?.heardTrailers(third as RawHeaders);
			return true;
		case "end":
			heard?.heardEnd();
			break;
		case "drain":
			heard?.heardDrain();
			return true;
		// "close" follows, and says all there is to know.
		case "error":
			return true;
		case "close":
			heard?.heardClose();
			break;
	}
	return EventEmitter.prototype.emit.call(this, event, first, second, third);
}

const push = directPush<Owned>(
	(http2, chunk) => http2[call]?.heardData(chunk) ?? true,
);
