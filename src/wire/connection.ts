/**
 * The narrow waist of homing: what the rest needs from HTTP/2, and no more.
 * Callbacks, so that a unary call allocates its result and little else.
 */

/** Name, value, name, value, … as they stand on the wire: in order, names in lower case, repeated names kept. */
export type RawHeaders = readonly string[];

/**
 * How far a request got. "miscarried": its connection was ending, so nothing of it left this side, or it missed a peer that
 * has taken other calls there and ends the connection in order (a GOAWAY with NO_ERROR and a lower stream id, not 0).
 * "refused": the peer turned it away unseen by its application (REFUSED_STREAM, or any other GOAWAY with a lower stream id).
 * "processed": the application may have seen it, and only a retry policy can tell whether to send it again.
 */
export type RequestProgress = "miscarried" | "refused" | "processed";

/** Why a stream ended without its peer having ended it. */
export interface StreamReset {
	/** RFC 9113 section 7. */
	readonly code: number;
	readonly progress: RequestProgress;
	/** What happened to the connection, where the whole connection was lost. */
	readonly cause: Error | undefined;
}

/** What a stream tells its owner. After `reset` nothing follows; after `end`, on the client, neither. */
export interface StreamListener {
	/**
	 * The response headers (client only: a server gets its headers with the stream). `isLast`: their frame has ended the
	 * stream, and only `end` follows.
	 */
	headers(headers: RawHeaders, isLast: boolean): void;
	data(chunk: Uint8Array): void;
	/** All data has been delivered and the peer has ended its side; `trailers` is empty when it sent none. */
	end(trailers: RawHeaders): void;
	reset(reset: StreamReset): void;
	/** There is room again after a `write` that returned false. */
	writable(): void;
}

export interface Stream {
	/** Queues bytes, which leave together with what else is written in this tick. false: wait for `writable`. */
	write(chunk: Uint8Array): boolean;
	/** Ends our side, after `last`, if given. On a server: `sendTrailers` does that. */
	end(last?: Uint8Array): void;
	/** RST_STREAM with a code of RFC 9113 section 7; nothing is heard from the stream after it. */
	reset(code: number): void;
	/** Stops reading, and so, once its window is full, the peer. */
	pause(): void;
	resume(): void;
}

export interface ServerStream extends Stream {
	/** Bytes of headers that the client takes at once (SETTINGS_MAX_HEADER_LIST_SIZE). */
	readonly maxHeaderBytes: number;
	/** Hands over the one that hears this stream. Called while the stream is being accepted. */
	listen(listener: StreamListener): void;
	respond(headers: RawHeaders): void;
	/** Ends the stream. Without `respond` before it, the trailers travel as the only headers (Trailers-Only). */
	sendTrailers(trailers: RawHeaders): void;
}

/** What a connection tells its owner. */
export interface ConnectionListener {
	/** The peer's SETTINGS have arrived: it does speak HTTP/2. */
	ready(): void;
	/** `hasRoom` is true again. */
	room(): void;
	/**
	 * No new streams: the peer takes none (RFC 9113 section 6.8), or the ids of this connection are nearly used up (section
	 * 5.1.1). Those that are open finish.
	 */
	goaway(goaway: { code: number; debugData: string }): void;
	/** The connection is gone, and every stream of it has heard so. Once. */
	closed(error: Error | undefined): void;
}

/**
 * "call": keeps the process alive, and a connection that is closing, until it has ended. "watch": does neither, and is
 * reset in silence when its connection closes.
 */
export type StreamPurpose = "call" | "watch";

/** Keeps the process alive while calls are open, and only then. */
export interface ClientConnection {
	/** Calls that have not ended yet; watches do not count. */
	readonly openCalls: number;
	/** Another stream, call or watch, would be within the peer's MAX_CONCURRENT_STREAMS; beyond it, streams wait for their turn. */
	readonly hasRoom: boolean;
	/** Bytes of headers that the peer takes at once (SETTINGS_MAX_HEADER_LIST_SIZE). */
	readonly maxHeaderBytes: number;
	/** Grows with whatever is read from the peer: one that stays as it was means that nothing has come. */
	readonly heard: number;
	/** Grows with the headers and the data of responses: answers to PINGs and the like do not count. */
	readonly responses: number;
	/** Calls back once, when `responses` grows. Who asks later is called back instead. */
	awaitResponse(heard: () => void): void;
	/** Sends request headers. A stream on a connection that is gone hears `reset` in a later microtask. */
	open(
		headers: RawHeaders,
		listener: StreamListener,
		purpose?: StreamPurpose,
	): Stream;
	/**
	 * PING (RFC 9113 section 6.7). Calls back when the peer answers it, and on a connection that is gone, never.
	 * false: it could not be sent, so that nothing can be concluded from silence.
	 */
	ping(answered: () => void): boolean;
	/** No new streams; calls that are open finish; then the connection closes. */
	close(): void;
	/** Ends the connection and all its streams now. */
	destroy(error?: Error): void;
}

export interface ServerConnection {
	/** Grows with whatever is read from the peer. */
	readonly heard: number;
	/** What `heard` was when something came of it last: a request, data, SETTINGS acknowledged, a PING. */
	readonly told: number;
	/** PING (RFC 9113 section 6.7). Calls back when the peer answers it. false: it could not be sent. */
	ping(answered: () => void): boolean;
	/** GOAWAY; streams that are open finish; then the connection closes. */
	close(): void;
	/** Ends it and all its streams, after a GOAWAY with the code, by default NO_ERROR. */
	destroy(error?: Error, code?: number): void;
}

/** Error codes of RFC 9113 section 7. */
export const Http2Code = {
	NO_ERROR: 0x0,
	PROTOCOL_ERROR: 0x1,
	INTERNAL_ERROR: 0x2,
	FLOW_CONTROL_ERROR: 0x3,
	SETTINGS_TIMEOUT: 0x4,
	STREAM_CLOSED: 0x5,
	FRAME_SIZE_ERROR: 0x6,
	REFUSED_STREAM: 0x7,
	CANCEL: 0x8,
	COMPRESSION_ERROR: 0x9,
	CONNECT_ERROR: 0xa,
	ENHANCE_YOUR_CALM: 0xb,
	INADEQUATE_SECURITY: 0xc,
	HTTP_1_1_REQUIRED: 0xd,
} as const;

/** The value of a header; where it is repeated, the first. */
export function headerOf(
	headers: RawHeaders,
	name: string,
): string | undefined {
	for (let i = 0; i < headers.length; i += 2) {
		if (headers[i] === name) return headers[i + 1];
	}
	return undefined;
}

/** All values of a header, in order. */
export function valuesOf(headers: RawHeaders, name: string): string[] {
	return headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name);
}
