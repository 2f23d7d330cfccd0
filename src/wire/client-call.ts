import { Code } from "@connectrpc/connect";
import {
	type ClientConnection,
	Http2Code,
	headerOf,
	type RawHeaders,
	type RequestProgress,
	type Stream,
	type StreamListener,
	type StreamReset,
} from "./connection.ts";
import { MessageReader, type MessageReaderOwner } from "./message-reader.ts";
import {
	codeOfHttpStatus,
	codeOfReset,
	nameOfReset,
	type Status,
	statusOf,
} from "./status.ts";
import type { Turns } from "./turns.ts";

/** How one call on one stream ended. */
export interface CallEnd extends Status {
	readonly headers: RawHeaders;
	readonly trailers: RawHeaders;
	/** true when the status is not the server's own, but what was found out on this side. */
	readonly local: boolean;
	readonly progress: RequestProgress;
	readonly cause?: Error | undefined;
	/** This side gave it up, and wants no more of what has arrived. */
	readonly isGivenUp?: true;
}

/** What a call tells its owner. */
export interface CallListener {
	/** Response headers, once; not for a Trailers-Only response. */
	headers(headers: RawHeaders): void;
	message(message: Uint8Array): void;
	/** Room to write again after a `write` that returned false. */
	writable(): void;
	/** Last and once. */
	end(end: CallEnd): void;
}

const NONE: RawHeaders = [];

/** gRPC over one HTTP/2 stream, seen from the client: headers, messages, status (PROTOCOL-HTTP2). */
export class ClientCall implements StreamListener, MessageReaderOwner {
	readonly #listener: CallListener;
	readonly #stream: Stream;
	readonly #reader: MessageReader;
	#headers: RawHeaders = NONE;
	#trailers: RawHeaders = NONE;
	#isTrailersOnly = false;
	/** Of the stream, while messages that arrived before are still to be delivered. */
	#reset: StreamReset | undefined;
	#state: "open" | "halfClosed" | "over" = "open";
	/** Of the last write. */
	#isFull = false;
	/** The server has ended the call: what is written now, nobody reads. */
	#isUnread = false;

	/** Sends the request headers. `maxBytes`: of a message received; `inflations`: of such messages, on other threads. */
	constructor(
		connection: Pick<ClientConnection, "open">,
		headers: RawHeaders,
		maxBytes: number,
		inflations: Turns,
		listener: CallListener,
	) {
		this.#listener = listener;
		this.#stream = connection.open(headers, this);
		this.#reader = new MessageReader(this.#stream, this, maxBytes, inflations);
	}

	/** Sends one framed message; false: wait for `writable`. */
	write(frame: Uint8Array): boolean {
		if (this.#state !== "open") return false;
		if (this.#isUnread) return true;
		this.#isFull = !this.#stream.write(frame);
		return !this.#isFull;
	}

	/** Ends the request, after one last framed message, if given. */
	closeSend(frame?: Uint8Array): void {
		if (this.#state !== "open") return;
		this.#state = "halfClosed";
		this.#stream.end(frame);
	}

	/** Resets the stream; nothing more is heard from it. */
	cancel(): void {
		if (this.#state === "over") return;
		this.#state = "over";
		this.#reader.stop();
		this.#stream.reset(Http2Code.CANCEL);
	}

	/** Stops the delivery of messages, and so the server, until `release`. */
	hold(): void {
		this.#reader.hold();
	}

	release(): void {
		this.#reader.release();
	}

	headers(headers: RawHeaders, isLast: boolean): void {
		this.#headers = headers;
		this.#isTrailersOnly = isLast;
		const status = headerOf(headers, ":status");
		if (status === "200" && isGrpc(headerOf(headers, "content-type"))) {
			const encoding = headerOf(headers, "grpc-encoding");
			if (encoding !== undefined) this.#reader.encoding = encoding;
			// In a Trailers-Only response these are the trailers: `end` will tell.
			if (!isLast) this.#listener.headers(headers);
			return;
		}
		this.#abort(this.#statusOfForeign(status));
	}

	data(chunk: Uint8Array): void {
		this.#reader.push(chunk);
	}

	end(trailers: RawHeaders): void {
		this.#trailers = this.#isTrailersOnly ? this.#headers : trailers;
		this.#reader.end();
		this.#stopSending();
	}

	/** Messages that have arrived are delivered first, however slow their reader. */
	reset(reset: StreamReset): void {
		this.#reset = reset;
		this.#reader.cut();
		this.#stopSending();
	}

	writable(): void {
		this.#listener.writable();
	}

	message(message: Uint8Array): void {
		this.#listener.message(message);
	}

	messagesEnd(): void {
		if (this.#reset !== undefined) {
			this.#finishReset(this.#reset);
			return;
		}
		const status = statusOf(this.#trailers);
		if (status !== undefined) {
			this.#finish(status, "processed", false);
			return;
		}
		this.#finish(this.#statusOfSilence(), "processed", true);
	}

	malformed(code: Code, message: string): void {
		this.#abort({
			code,
			message:
				code === Code.ResourceExhausted
					? `${message} (maxResponseMessageBytes of this client)`
					: message,
		});
	}

	/** Who waits to write need not, while messages wait for their reader: they may be the same. */
	#stopSending(): void {
		if (this.#state === "over") return;
		this.#isUnread = true;
		if (this.#isFull) this.#listener.writable();
	}

	#finishReset({ code, progress, cause }: StreamReset): void {
		this.#finish(
			cause === undefined
				? {
						code: codeOfReset(code),
						message: `the server reset the stream (${nameOfReset(code)})`,
					}
				: {
						code: Code.Unavailable,
						message: `connection lost: ${cause.message}`,
					},
			progress,
			true,
			cause,
		);
	}

	/** A response that ended without a grpc-status. */
	#statusOfSilence(): Status {
		return this.#trailers.length > 0
			? {
					code: Code.Unknown,
					message:
						"the server ended the call without a grpc-status: it, or a proxy before it, left that out of the trailers",
				}
			: {
					code: Code.Internal,
					message:
						"the server ended the call without trailers: it, or a proxy before it, cut the response short",
				};
	}

	/** A response that is not gRPC's: a proxy's, or another server's. */
	#statusOfForeign(httpStatus: string | undefined): Status {
		const fromTrailers = statusOf(this.#headers);
		if (fromTrailers !== undefined && fromTrailers.code !== 0) {
			return fromTrailers;
		}
		const type = headerOf(this.#headers, "content-type");
		return {
			code: codeOfHttpStatus(httpStatus),
			message: `not a gRPC response: HTTP status ${httpStatus}, content-type ${type === undefined ? "missing" : `"${type}"`}`,
		};
	}

	/** Ends the call on our own initiative. */
	#abort(status: Status): void {
		if (this.#state === "over") return;
		this.#reader.stop();
		this.#stream.reset(Http2Code.CANCEL);
		this.#finish(status, "processed", true);
	}

	#finish(
		status: Status,
		progress: RequestProgress,
		local: boolean,
		cause?: Error | undefined,
	): void {
		const state = this.#state;
		if (state === "over") return;
		this.#state = "over";
		// The server has answered before the request was whole: nobody reads the rest.
		if (state === "open") this.#stream.reset(Http2Code.CANCEL);
		const isTrailersOnly = this.#isTrailersOnly;
		this.#listener.end({
			code: status.code,
			message: status.message,
			headers: isTrailersOnly ? NONE : this.#headers,
			trailers: isTrailersOnly ? this.#headers : this.#trailers,
			local,
			progress,
			cause,
		});
	}
}

/** `application/grpc`, or with `+proto` or parameters behind it. */
export function isGrpc(contentType: string | undefined): boolean {
	return (
		contentType === "application/grpc" ||
		contentType === "application/grpc+proto" ||
		(contentType !== undefined &&
			/^application\/grpc(\+proto)?\s*(;|$)/.test(contentType))
	);
}
