import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect,
} from "node:http2";
import type { Duplex } from "node:stream";
import {
	type ClientConnection,
	type ConnectionListener,
	Http2Code,
	type RawHeaders,
	type RequestProgress,
	type Stream,
	type StreamListener,
} from "../connection.ts";
import { toHeaderList } from "./header-list.ts";
import { Outbox, resetStream } from "./outbox.ts";
import { SESSION_MEMORY_MB } from "./session-memory.ts";
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from "./windows.ts";

/** Speaks HTTP/2, as a client, over a socket that is connected. */
export function clientConnection(
	socket: Duplex,
	listener: ConnectionListener,
): ClientConnection {
	return new NodeClientConnection(socket, listener);
}

class NodeClientConnection implements ClientConnection {
	readonly #socket: Duplex;
	readonly #session: ClientHttp2Session;
	#error: Error | undefined;
	#lastStreamId = Number.POSITIVE_INFINITY;
	#openStreams = 0;
	#closing = false;

	constructor(socket: Duplex, listener: ConnectionListener) {
		// The URL goes nowhere: the socket exists, and every request names scheme and authority itself.
		const session = connect("http://connected.invalid", {
			createConnection: () => socket,
			settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
			maxSessionMemory: SESSION_MEMORY_MB,
		});
		this.#socket = socket;
		this.#session = session;
		session.unref();
		session.once("connect", () =>
			session.setLocalWindowSize(CONNECTION_WINDOW_BYTES),
		);
		session.once("remoteSettings", () => listener.ready());
		session.on("goaway", (code, lastStreamId, data) => {
			this.#lastStreamId = Math.min(this.#lastStreamId, lastStreamId);
			const debugData = data === undefined ? "" : String(data);
			if (code !== Http2Code.NO_ERROR) {
				this.#error ??= new Error(
					`the peer closed the connection: GOAWAY with error code ${code} ${debugData}`.trimEnd(),
				);
			}
			listener.goaway({ code, debugData });
		});
		session.on("error", (error: Error) => {
			this.#error ??= error;
		});
		let told = false;
		const closed = (): void => {
			if (!told) listener.closed(this.#error);
			told = true;
		};
		session.once("close", closed);
		// A socket that fails before the peer's SETTINGS have arrived closes no session.
		socket.once("error", (error: Error) => {
			this.destroy(error);
			if (this.#openStreams === 0) closed();
		});
	}

	open(headers: RawHeaders, listener: StreamListener): Stream {
		let http2: ClientHttp2Stream;
		try {
			http2 = this.#session.request(toHeaderList(headers));
		} catch (error) {
			// Where the connection is not to blame, to send the same again would be no use.
			const isOver = this.#session.closed || this.#session.destroyed;
			queueMicrotask(() =>
				listener.reset({
					code: Http2Code.REFUSED_STREAM,
					progress: isOver ? "miscarried" : "processed",
					cause: this.#error ?? (error as Error),
				}),
			);
			return UNOPENED;
		}
		if (this.#openStreams++ === 0) this.#session.ref();
		return new NodeClientStream(http2, listener, this);
	}

	/** How far a stream got that the peer did not end. */
	progressOf({ id, rstCode }: ClientHttp2Stream): RequestProgress {
		if (id === undefined) {
			// Headers that the peer does not take fail on a sound connection, and would again.
			const isOver = this.#session.closed || this.lossOf !== undefined;
			return isOver ? "miscarried" : "refused";
		}
		return id > this.#lastStreamId || rstCode === Http2Code.REFUSED_STREAM
			? "refused"
			: "processed";
	}

	/** Why the connection is gone; undefined while it is not. */
	get lossOf(): Error | undefined {
		// Where the socket closes first, the streams hear of it before the session is destroyed.
		return this.#session.destroyed || this.#socket.destroyed
			? (this.#error ??
					this.#socket.errored ??
					new Error("the peer closed the connection"))
			: undefined;
	}

	/** Of every stream, once. */
	streamClosed(): void {
		if (--this.#openStreams > 0) return;
		this.#session.unref();
		if (this.#closing) this.#session.close();
	}

	/**
	 * Says GOAWAY only when no stream is left: a server may answer with a GOAWAY of its own, and refuse the requests that
	 * are still on their way to it.
	 */
	close(): void {
		this.#closing = true;
		if (this.#openStreams === 0) this.#session.close();
	}

	destroy(error?: Error): void {
		this.#error ??= error;
		this.#session.destroy();
	}
}

const UNOPENED: Stream = {
	write: () => false,
	end: () => {},
	reset: () => {},
	pause: () => {},
	resume: () => {},
};

/** END_STREAM, as the flags of a "response" event have it. */
const END_STREAM = 0x1;

const owner: unique symbol = Symbol("owner");
type Owned = ClientHttp2Stream & { [owner]: NodeClientStream };

class NodeClientStream implements Stream {
	readonly #http2: ClientHttp2Stream;
	readonly #connection: NodeClientConnection;
	readonly #outbox: Outbox;
	#listener: StreamListener | undefined;
	#trailers: RawHeaders | undefined;

	constructor(
		http2: ClientHttp2Stream,
		listener: StreamListener,
		connection: NodeClientConnection,
	) {
		this.#http2 = http2;
		this.#listener = listener;
		this.#connection = connection;
		this.#outbox = new Outbox(http2);
		(http2 as Owned)[owner] = this;
		http2.on("response", onResponse as () => void);
		http2.on("data", onData);
		http2.on("trailers", onTrailers as () => void);
		http2.on("end", onEnd);
		http2.on("drain", onDrain);
		http2.on("error", onError);
		http2.on("close", onClose);
	}

	write(chunk: Uint8Array): boolean {
		return this.#outbox.write(chunk);
	}

	end(last?: Uint8Array): void {
		this.#outbox.end(last);
	}

	reset(code: number): void {
		this.#listener = undefined;
		resetStream(this.#http2, code);
	}

	pause(): void {
		this.#http2.pause();
	}

	resume(): void {
		this.#http2.resume();
	}

	heardHeaders(headers: RawHeaders, endStream: boolean): void {
		if (endStream) this.#trailers = [];
		this.#listener?.headers(headers);
	}

	heardData(chunk: Uint8Array): void {
		this.#listener?.data(chunk);
	}

	heardTrailers(trailers: RawHeaders): void {
		this.#trailers = trailers;
	}

	/** "end" comes after a reset and after a lost connection, too: alone, only trailers prove that the peer has ended. */
	heardEnd(): void {
		if (this.#trailers !== undefined) this.#finish(this.#trailers);
	}

	heardDrain(): void {
		this.#outbox.drained();
		this.#listener?.writable();
	}

	heardClose(): void {
		this.#connection.streamClosed();
		const { rstCode } = this.#http2;
		const cause = this.#connection.lossOf;
		if (cause === undefined && rstCode === Http2Code.NO_ERROR) {
			this.#finish(this.#trailers ?? []);
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
	this[owner].heardHeaders(raw, (flags & END_STREAM) !== 0);
}

function onData(this: Owned, chunk: Uint8Array): void {
	this[owner].heardData(chunk);
}

function onTrailers(
	this: Owned,
	_headers: unknown,
	_flags: number,
	raw: RawHeaders,
): void {
	this[owner].heardTrailers(raw);
}

function onEnd(this: Owned): void {
	this[owner].heardEnd();
}

function onDrain(this: Owned): void {
	this[owner].heardDrain();
}

/** "close" follows, and says all there is to know. */
function onError(): void {}

function onClose(this: Owned): void {
	this[owner].heardClose();
}
