/**
 * The narrow waist of homing: what the client and the server need from the wire. Messages go in and come out, and a call
 * has one end. An engine implements it; nothing above it knows of frames or of message prefixes.
 * It is made of callbacks, so that a unary call allocates its result and little else.
 */
import type { Code } from "@connectrpc/connect";
import type { Turns } from "./gzip/turns.ts";
import type { RawHeaders } from "./headers.ts";
import type { PreparedHead } from "./prepared-head.ts";
import type { Status } from "./status.ts";

/**
 * How far a request got. "miscarried": its connection was ending, so that nothing of it left this side, or it crossed with
 * the GOAWAY of a peer that has taken other calls and ends the connection in order (NO_ERROR, and a lower stream id that is
 * not 0). "refused": the peer rejected it before its application saw it (REFUSED_STREAM, or any other GOAWAY with a lower
 * stream id). "processed": the application may have seen it, and only a retry policy can tell whether to send it again.
 */
export type RequestProgress = "miscarried" | "refused" | "processed";

/** How a call ended. */
export interface CallEnd extends Status {
	/** Empty for a Trailers-Only response, whose one header block counts as the trailers. */
	readonly headers: RawHeaders;
	readonly trailers: RawHeaders;
	/** The status was found out on this side; it is not the server's own. */
	readonly local: boolean;
	readonly progress: RequestProgress;
	/** What happened to the connection, if the whole connection was lost. */
	readonly cause?: Error | undefined;
	/** This side gave the call up, and does not want messages that have already arrived. */
	readonly isGivenUp?: true;
}

/** What a client's call tells its owner. */
export interface CallListener {
	/** The response headers, once. Not called for a Trailers-Only response. */
	headers(headers: RawHeaders): void;
	/** One message of the response, without its prefix and inflated. */
	message(message: Uint8Array): void;
	/** There is room again after a `send` that returned false. */
	writable(): void;
	/** The call has ended, and every message that arrived has been delivered. Called once; nothing follows it. */
	end(end: CallEnd): void;
}

/**
 * "call": keeps the process alive, and a connection that is closing, until it has ended. "watch": does neither, and is
 * reset without a word when its connection closes.
 */
export type CallPurpose = "call" | "watch";

/** What a client's call starts with. */
export interface CallStart {
	readonly head: PreparedHead;
	/** The value of `grpc-timeout`; undefined for a call without a deadline. */
	readonly timeout: string | undefined;
	/** User metadata, encoded for the wire. */
	readonly metadata: RawHeaders;
	/** Limit for one message of the response, inflated, in bytes. */
	readonly maxMessageBytes: number;
	/** Where large messages of the response wait for their turn to be inflated. */
	readonly inflations: Turns;
	readonly purpose: CallPurpose;
	/** The only message of the request, without its prefix: it leaves with the headers, and the request ends with it. */
	readonly request: Uint8Array | undefined;
	readonly isRequestCompressed: boolean;
}

/** One call of a client: one HTTP/2 stream. */
export interface ClientCall {
	/**
	 * Sends a message, given without its prefix; `compressed` with the encoding that the head announces. Messages of one
	 * tick leave together. Returns false when the owner should wait for `writable` before it sends more.
	 */
	send(message: Uint8Array, compressed: boolean): boolean;
	/** Ends the request (half-close). */
	end(): void;
	/** Resets the stream. Nothing more is heard from the call. */
	cancel(): void;
	/** Delivers no message, and stops the server once its flow-control window is full, until `release`. */
	hold(): void;
	release(): void;
}

/** Why a stream ended although its peer did not end it. */
export interface StreamReset {
	/** RFC 9113 section 7. */
	readonly code: number;
	readonly progress: RequestProgress;
	/** What happened to the connection, if the whole connection was lost. */
	readonly cause: Error | undefined;
}

/** How the messages of a request are read. */
export interface RequestTerms {
	/** The client's `grpc-encoding`; undefined or "identity" when it compresses nothing. */
	readonly encoding: string | undefined;
	/** Limit for one message of the request, inflated, in bytes. */
	readonly maxMessageBytes: number;
	/** Where large messages of the request wait for their turn to be inflated. */
	readonly inflations: Turns;
}

/** What a server's call tells its owner. */
export interface ServerCallListener {
	/** One message of the request, without its prefix and inflated. */
	message(message: Uint8Array): void;
	/** Data of the request has arrived, and the messages in it have been delivered: `waitingBytes` may have changed. */
	arrived(): void;
	/** The client has sent its last message. */
	messagesEnd(): void;
	/** What the client sent is no valid message. No message follows; the owner answers. */
	malformed(code: Code, message: string): void;
	/** There is room again after a `send` that returned false. */
	writable(): void;
	/** The client has left before `finish`: it reset the stream, or its connection was lost. Nothing follows. */
	left(reset: StreamReset): void;
	/** The stream of a call that was finished has closed. Nothing follows. */
	closed(): void;
}

/** One call of a server: one HTTP/2 stream. */
export interface ServerCall {
	/** Limit of the client for one header block, in bytes (SETTINGS_MAX_HEADER_LIST_SIZE). */
	readonly maxHeaderBytes: number;
	/** Flow control holds back a part of what was sent. */
	readonly isBlocked: boolean;
	/** Bytes of the request that have arrived and have not been delivered, as they lie in memory. */
	readonly waitingBytes: number;
	/** A message has begun, and the rest of it is the client's to send. */
	readonly isInMessage: boolean;
	/** Sets who hears the call, and how. Called while the call arrives, or never, if it is finished at once. */
	listen(terms: RequestTerms, listener: ServerCallListener): void;
	/** Sends response headers. Once. */
	respond(headers: RawHeaders): void;
	/**
	 * Sends a message, given without its prefix; `compressed` with the encoding that the headers announce. Messages of one
	 * tick leave together. Returns false when the owner should wait for `writable` before it sends more.
	 */
	send(message: Uint8Array, compressed: boolean): boolean;
	/**
	 * Ends the call; `last` is a last message, which leaves together with the trailers. Without `respond` before it, the
	 * trailers are the only headers (Trailers-Only), and there is no message. Nothing more of the request is delivered.
	 */
	finish(
		trailers: RawHeaders,
		last: Uint8Array | undefined,
		isLastCompressed: boolean,
	): void;
	/** Resets the stream. Nothing more is heard from the call. */
	cancel(): void;
	/** Delivers no message, and stops the client once its flow-control window is full, until `release`. */
	hold(): void;
	release(): void;
}

/** What a client's connection tells its owner. */
export interface ConnectionListener {
	/** The peer's SETTINGS have arrived: it speaks HTTP/2. */
	ready(): void;
	/** `hasRoom` is true again. */
	room(): void;
	/**
	 * The connection takes no new streams: the peer said so (RFC 9113 section 6.8), or its stream ids are nearly used up
	 * (section 5.1.1). Open streams finish.
	 */
	goaway(goaway: { code: number; debugData: string }): void;
	/** The connection is gone, and every call on it has ended. Called once. */
	closed(error: Error | undefined): void;
}

/** A client's connection to one peer. It keeps the process alive while calls are open, and only then. */
export interface ClientConnection {
	/** Calls that have not ended. Watches do not count. */
	readonly openCalls: number;
	/** Whether another call or watch would be within the peer's MAX_CONCURRENT_STREAMS. Beyond it, they wait for their turn. */
	readonly hasRoom: boolean;
	/** Limit of the peer for one header block, in bytes (SETTINGS_MAX_HEADER_LIST_SIZE). */
	readonly maxHeaderBytes: number;
	/** Grows with everything that is read from the peer. While it stays the same, nothing has arrived. */
	readonly heard: number;
	/** Grows with the headers and the data of responses, and not with answers to PINGs and the like. */
	readonly responses: number;
	/** Calls `heard` once, when `responses` grows. A later call of this method replaces it. */
	awaitResponse(heard: () => void): void;
	/**
	 * Starts a call: sends its headers, and its request if that is given. A call on a connection that is gone ends in a
	 * later microtask.
	 */
	start(start: CallStart, listener: CallListener): ClientCall;
	/**
	 * Sends a PING (RFC 9113 section 6.7), and calls `answered` when the peer answers it: never, on a connection that is gone.
	 * Returns false if it could not be sent, so that silence means nothing.
	 */
	ping(answered: () => void): boolean;
	/** Takes no new calls. Closes the connection once the open calls have finished. */
	close(): void;
	/** Ends the connection and all its calls now. */
	destroy(error?: Error): void;
}

/** What a server's connection tells its owner. */
export interface ServerConnectionListener {
	/** The peer's SETTINGS have arrived: it speaks HTTP/2. */
	ready(): void;
	/** A request has begun. Its owner calls `listen` or `finish` before it returns. */
	call(call: ServerCall, headers: RawHeaders): void;
	/** A request beyond the limit of concurrent streams was refused. */
	refused(): void;
	/** The client has reset a stream that was open. */
	reset(): void;
	/** The client has broken the rules of HTTP/2, or floods with frames: `closed` follows. */
	violated(why: string): void;
	/** The connection is gone. Called once. */
	closed(error: Error | undefined): void;
}

export interface ServerConnection {
	/** Grows with everything that is read from the peer. */
	readonly heard: number;
	/** The value of `heard` when it last had an effect: a request, data, acknowledged SETTINGS, a PING. */
	readonly told: number;
	/** Sends a PING, and calls `answered` when the peer answers it. Returns false if it could not be sent. */
	ping(answered: () => void): boolean;
	/** Sends GOAWAY. Closes the connection once the open calls have finished. */
	close(): void;
	/** Ends the connection and all its calls, after a GOAWAY with the code, by default NO_ERROR. */
	destroy(error?: Error, code?: number): void;
}
