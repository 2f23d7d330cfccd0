import { Code, ConnectError } from "@connectrpc/connect";
import type {
	ServerStream,
	StreamListener,
	StreamReset,
} from "./connection.ts";
import { compress } from "./gzip.ts";
import type { GzipTurns } from "./gzip-turns.ts";
import type { RawHeaders } from "./headers.ts";
import { Http2Code } from "./http2-code.ts";
import { deflatesLater, isCompressed } from "./message-compression.ts";
import { MessageQueue } from "./message-queue.ts";
import { MessageReader, type MessageReaderOwner } from "./message-reader.ts";
import { appendMetadata, headerBytes, MAX_HEADER_BYTES } from "./metadata.ts";
import { trailersOfError } from "./status.ts";
import type { UnreadBytes } from "./unread-bytes.ts";

/** What the client of a call does, as its owner on the server hears it. */
export interface ServerCallListener {
	message(message: Uint8Array): void;
	/** Of messages that were delivered, and that no handler has read. */
	readonly waitingBytes: number;
	/** The client has sent its last message. */
	messagesEnd(): void;
	/** What the client sent is no valid message. Nothing follows; the owner answers. */
	malformed(code: Code, message: string): void;
	/** There is room again after a `write` that returned false. */
	writable(): void;
	/** The client has left: it reset the stream, or its connection was lost. Last. */
	left(reset: StreamReset): void;
	/** The stream of a call that was over with a response unsent (`isUnsent`) is gone. */
	closed(): void;
}

/** What was agreed on for a call by its request's headers. */
export interface ServerCallTerms {
	/** The request's own, which the response repeats. */
	readonly contentType: string;
	/** The client's `grpc-encoding`. */
	readonly requestEncoding: string | undefined;
	/** How responses travel that are worth compressing. */
	readonly responseEncoding: "gzip" | undefined;
	/** Of a message received, inflated. */
	readonly readMaxBytes: number;
	/** The server's. */
	readonly gzip: GzipTurns;
	/** The server's. */
	readonly unread: UnreadBytes;
}

/** gRPC over one HTTP/2 stream, seen from the server: messages in; headers, messages and a status out (PROTOCOL-HTTP2). */
export class ServerCall implements StreamListener, MessageReaderOwner {
	readonly #stream: ServerStream;
	readonly #terms: ServerCallTerms;
	readonly #listener: ServerCallListener;
	readonly #reader: MessageReader;
	#state: "open" | "responding" | "over" = "open";
	#blocked = false;
	#closed = false;
	/** While a message is deflated, it and those behind it. */
	#queue: MessageQueue | undefined;
	#unreadBytes = 0;
	#lastArrival = 0;

	constructor(
		stream: ServerStream,
		terms: ServerCallTerms,
		listener: ServerCallListener,
	) {
		this.#stream = stream;
		this.#terms = terms;
		this.#listener = listener;
		this.#reader = new MessageReader(
			this,
			terms.readMaxBytes,
			terms.gzip.inflations,
		);
		stream.listen(this);
	}

	/**
	 * Sends the response headers, with metadata. Only the first time it is called.
	 *
	 * @throws ConnectError RESOURCE_EXHAUSTED for more metadata than the client takes, INTERNAL for what metadata cannot hold
	 */
	respond(metadata: Headers | undefined): void {
		if (this.#state !== "open") return;
		const headers = responseHeaders(this.#terms.contentType);
		if (this.#terms.responseEncoding !== undefined) {
			headers.push("grpc-encoding", this.#terms.responseEncoding);
		}
		if (metadata !== undefined) appendMetadata(headers, metadata, undefined);
		this.#refuseLarge("headers", headers);
		this.#state = "responding";
		this.#stream.respond(headers);
	}

	/** Sends one message, after `respond`; false: wait for `writable`. */
	write(message: Uint8Array): boolean {
		if (this.#state !== "responding") return false;
		const { responseEncoding } = this.#terms;
		if (this.#queue !== undefined || deflatesLater(message, responseEncoding)) {
			this.#queue ??= this.#newQueue();
			this.#queue.push(message);
			return false;
		}
		const compressed = isCompressed(message, responseEncoding);
		this.#blocked = !this.#stream.write(
			compressed ? compress(message) : message,
			compressed,
		);
		return !this.#blocked;
	}

	/** Ends the call, well without an `error`; without `respond` before it as Trailers-Only. */
	finish(error: ConnectError | undefined, metadata: Headers | undefined): void {
		if (this.#state === "over") return;
		let trailers: RawHeaders;
		try {
			trailers = this.#trailersOf(error, metadata);
			this.#refuseLarge("trailers", trailers);
		} catch (thrown) {
			if (!(thrown instanceof ConnectError)) throw thrown;
			trailers = this.#trailersOf(unsendable(thrown, error));
		}
		const send = (): void => {
			this.#over();
			this.#stream.sendTrailers(trailers);
		};
		if (this.#queue === undefined) send();
		else this.#queue.whenSent(send);
	}

	/** As `finish`, but does not wait for a client that reads too slowly what is on its way to it: it is cut off. */
	abandon(error: ConnectError, metadata: Headers | undefined): void {
		if (this.#state === "over") return;
		this.#queue?.stop();
		this.#queue = undefined;
		if (this.#blocked) {
			this.#cancel();
		} else {
			this.finish(error, metadata);
		}
	}

	/** Flow control holds some of the response back, or it is being deflated: whether it is over or not. */
	get isUnsent(): boolean {
		return !this.#closed && (this.#blocked || this.#queue !== undefined);
	}

	/** Drops what is still unsent of a response. */
	cutOff(): void {
		if (this.isUnsent) this.#cancel();
	}

	/** Stops the delivery of messages, and so the client, until `release`. */
	hold(): void {
		this.#reader.hold();
	}

	release(): void {
		this.#reader.release();
	}

	get encoding(): string | undefined {
		return this.#terms.requestEncoding;
	}

	pause(): void {
		this.#stream.pause();
	}

	resume(): void {
		this.#stream.resume();
	}

	data(chunk: Uint8Array): void {
		this.#lastArrival = this.#terms.unread.nextArrival();
		this.#reader.push(chunk);
		this.countUnread();
	}

	/** Of what has come, and no handler has read. */
	get unreadBytes(): number {
		return this.#unreadBytes;
	}

	/** Of `UnreadBytes`: when something came for it last. */
	get lastArrival(): number {
		return this.#lastArrival;
	}

	get isInMessage(): boolean {
		return this.#reader.isInMessage;
	}

	/** Something was read, or is about to wait. */
	countUnread(): void {
		const bytes =
			this.#state === "over"
				? 0
				: this.#reader.waitingBytes + this.#listener.waitingBytes;
		const change = bytes - this.#unreadBytes;
		if (change === 0) return;
		this.#unreadBytes = bytes;
		this.#terms.unread.change(change);
	}

	end(): void {
		this.#reader.end();
	}

	reset(reset: StreamReset): void {
		if (this.#state === "over") {
			if (this.isUnsent) this.#listener.closed();
			this.#closed = true;
			return;
		}
		this.#over();
		this.#closed = true;
		this.#listener.left(reset);
	}

	writable(): void {
		this.#blocked = false;
		if (this.#state === "over") return;
		if (this.#queue === undefined) this.#listener.writable();
	}

	message(message: Uint8Array): void {
		this.#listener.message(message);
		this.countUnread();
	}

	messagesEnd(): void {
		this.#listener.messagesEnd();
	}

	malformed(code: Code, message: string): void {
		this.#listener.malformed(code, message);
	}

	#trailersOf(error: ConnectError | undefined, metadata?: Headers): string[] {
		const trailers =
			this.#state === "open" ? responseHeaders(this.#terms.contentType) : [];
		appendStatus(trailers, error, metadata);
		return trailers;
	}

	#newQueue(): MessageQueue {
		return new MessageQueue(this.#terms.gzip.deflations, {
			send: (message, compressed) => {
				this.#blocked = !this.#stream.write(message, compressed);
			},
			emptied: () => {
				this.#queue = undefined;
				if (this.#state !== "over" && !this.#blocked) this.#listener.writable();
			},
			failed: (error) => {
				this.#queue = undefined;
				this.finish(ConnectError.from(error, Code.Internal), undefined);
			},
		});
	}

	/** node:http2 closes the whole connection when it is given more headers than it sends. */
	#refuseLarge(what: "headers" | "trailers", headers: RawHeaders): void {
		const bytes = headerBytes(headers);
		if (bytes > MAX_HEADER_BYTES) {
			throw largeHeaders(what, bytes, `the limit is ${MAX_HEADER_BYTES}`);
		}
		const { maxHeaderBytes } = this.#stream;
		if (bytes > maxHeaderBytes) {
			throw largeHeaders(what, bytes, `the client takes ${maxHeaderBytes}`);
		}
	}

	#cancel(): void {
		this.#over();
		this.#closed = true;
		this.#stream.reset(Http2Code.CANCEL);
	}

	#over(): void {
		this.#state = "over";
		this.#queue?.stop();
		this.#reader.stop();
		this.countUnread();
	}
}

/** Answers a call that cannot be served with its status alone (Trailers-Only), and what else the headers should say. */
export function refuseCall(
	stream: ServerStream,
	contentType: string,
	error: ConnectError,
	further: RawHeaders = [],
): void {
	const trailers = responseHeaders(contentType);
	trailers.push(...further);
	appendStatus(trailers, error);
	stream.sendTrailers(trailers);
}

/** Answers a request that is not gRPC's at all. */
export function refuseRequest(stream: ServerStream, httpStatus: number): void {
	stream.sendTrailers([":status", String(httpStatus)]);
}

function responseHeaders(contentType: string): string[] {
	return [":status", "200", "content-type", contentType];
}

function appendStatus(
	onto: string[],
	error: ConnectError | undefined,
	metadata?: Headers,
): void {
	if (error === undefined) onto.push("grpc-status", "0");
	else onto.push(...trailersOfError(error));
	// What another server said of a call made here is not this server's to say.
	const own = error?.isWireError ? undefined : error?.metadata;
	const all = joined(own, metadata);
	if (all !== undefined) appendMetadata(onto, all, undefined);
}

/** As one, so that a name in both is sent once: node:http2 throws for many of those that are sent twice. */
function joined(
	one: Headers | undefined,
	other: Headers | undefined,
): Headers | undefined {
	if (one === undefined || other === undefined) return one ?? other;
	const all = new Headers(one);
	for (const [name, value] of other) all.append(name, value);
	return all;
}

function largeHeaders(
	what: "headers" | "trailers",
	bytes: number,
	limit: string,
): ConnectError {
	return new ConnectError(
		`the response's ${what} take ${bytes} bytes, and ${limit}: send less metadata`,
		Code.ResourceExhausted,
	);
}

/** What is said instead of trailers that cannot be sent. */
function unsendable(
	why: ConnectError,
	error: ConnectError | undefined,
): ConnectError {
	if (error === undefined) return why;
	const text = `${why.rawMessage}; ${error.rawMessage}`;
	return new ConnectError(text.slice(0, 1024), error.code);
}
