import {
	getPackedSettings,
	performServerHandshake,
	type ServerHttp2Session,
	type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type {
	ServerConnection,
	ServerStream,
	StreamListener,
} from "../connection.ts";
import type { RawHeaders } from "../headers.ts";
import { Http2Code } from "../http2-code.ts";
import { MAX_HEADER_BYTES } from "../metadata.ts";
import { nameOfReset } from "../status.ts";
import { directPush, readOn } from "./direct-push.ts";
import { toHeaderList, toHeaderObject } from "./header-list.ts";
import { headerPairs } from "./header-pairs.ts";
import { leaveClosed, Outbox, resetStream } from "./outbox.ts";
import { ServerGreeting } from "./server-greeting.ts";
import { SESSION_MEMORY_MB } from "./session-memory.ts";
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from "./windows.ts";

/** What a server's connection tells its owner. */
export interface ServerConnectionListener {
	/** The peer's SETTINGS have arrived: it does speak HTTP/2. */
	ready(): void;
	/** A request. `listen` on its stream before returning. */
	stream(stream: ServerStream, headers: RawHeaders): void;
	/** A request beyond `maxConcurrentStreams`. */
	refused(): void;
	/** The client has reset a stream that was open. */
	reset(): void;
	/** The client has broken the rules of HTTP/2, or floods with frames: `closed` follows. */
	violated(why: string): void;
	closed(error: Error | undefined): void;
}

export interface ServerConnectionOptions {
	/** Those beyond it are refused (REFUSED_STREAM). */
	readonly maxConcurrentStreams: number;
	/** Bytes of all names and values of a request's headers, with 32 for each (RFC 9113 section 6.5.2). */
	readonly maxHeaderListSize: number;
}

/**
 * Resets per second that a connection may bring before it is taken for an attack (CVE-2023-44487). Node's own 33 would
 * end the connection of a client whose calls run into their deadlines.
 */
const RESETS_PER_SECOND = 1000;

/** What Node says of a client that it has to end the connection of (nodejs.org/api/errors.html). */
const VIOLATIONS: readonly (string | undefined)[] = [
	"ERR_HTTP2_ERROR",
	"ERR_HTTP2_TOO_MANY_INVALID_FRAMES",
];

/** RFC 9113 section 6.5. */
const SETTINGS_FRAME = 0x4;

/** Speaks HTTP/2, as a server, over an accepted socket. */
export function serverConnection(
	socket: Socket,
	options: ServerConnectionOptions,
	listener: ServerConnectionListener,
): ServerConnection {
	return new NodeServerConnection(socket, options, listener);
}

class NodeServerConnection implements ServerConnection {
	readonly #socket: Socket;
	readonly #options: ServerConnectionOptions;
	readonly #listener: ServerConnectionListener;
	/** Once the client has acknowledged our limits. */
	#session: ServerHttp2Session | undefined;
	#told = 0;
	#openStreams = 0;
	#maxHeaderBytes = Number.POSITIVE_INFINITY;
	#error: Error | undefined;

	constructor(
		socket: Socket,
		options: ServerConnectionOptions,
		listener: ServerConnectionListener,
	) {
		this.#socket = socket;
		this.#options = options;
		this.#listener = listener;
		const { maxConcurrentStreams, maxHeaderListSize } = options;
		const settings = getPackedSettings({
			initialWindowSize: STREAM_WINDOW_BYTES,
			maxConcurrentStreams,
			maxHeaderListSize,
		});
		new ServerGreeting(socket, settingsFrame(settings), (transport) =>
			this.#begin(transport),
		);
		socket.once("close", () => {
			if (this.#session !== undefined) return;
			listener.closed(this.#error ?? socket.errored ?? undefined);
		});
	}

	#begin(transport: Duplex): void {
		const { maxHeaderListSize } = this.#options;
		const session = performServerHandshake(transport, {
			settings: { initialWindowSize: STREAM_WINDOW_BYTES },
			maxSessionMemory: SESSION_MEMORY_MB,
			maxHeaderListPairs: headerPairs(maxHeaderListSize),
			maxSendHeaderBlockLength: MAX_HEADER_BYTES,
			streamResetBurst: 10 * RESETS_PER_SECOND,
			streamResetRate: RESETS_PER_SECOND,
		});
		this.#session = session;
		session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
		const tell = (): void => this.tell();
		session.on("localSettings", tell);
		session.on("remoteSettings", tell);
		session.on("ping", tell);
		session.once("remoteSettings", () => this.#listener.ready());
		session.on("remoteSettings", ({ maxHeaderListSize: bytes }) => {
			this.#maxHeaderBytes = bytes ?? Number.POSITIVE_INFINITY;
		});
		session.on(
			"stream",
			(
				http2: ServerHttp2Stream,
				_headers: unknown,
				_flags: number,
				raw: RawHeaders,
			) => this.#opened(http2, raw),
		);
		session.on("error", (error: NodeJS.ErrnoException) => {
			this.#error ??= error;
			if (VIOLATIONS.includes(error.code)) {
				this.#listener.violated(error.message);
			}
		});
		session.once("close", () => this.#listener.closed(this.#error));
	}

	get heard(): number {
		return this.#socket.bytesRead;
	}

	get told(): number {
		return this.#told;
	}

	/** Something has come of what was read. */
	tell(): void {
		this.#told = this.#socket.bytesRead;
	}

	ping(answered: () => void): boolean {
		const session = this.#session;
		// Node sends no PING on a session that is closing.
		if (session === undefined || session.closed || session.destroyed) {
			return false;
		}
		return session.ping((error: Error | null) => {
			if (error === null) answered();
		});
	}

	#opened(http2: ServerHttp2Stream, headers: RawHeaders): void {
		this.tell();
		if (this.#openStreams >= this.#options.maxConcurrentStreams) {
			http2.on("error", onError);
			http2.on("end", onRefusedEnd);
			resetStream(http2, Http2Code.REFUSED_STREAM);
			this.#listener.refused();
			return;
		}
		this.#openStreams += 1;
		this.#listener.stream(new NodeServerStream(http2, this), headers);
	}

	/** What the client takes. */
	get maxHeaderBytes(): number {
		return this.#maxHeaderBytes;
	}

	/** Of every stream, once it does not count any more (RFC 9113 section 5.1.2). */
	streamOver(): void {
		this.#openStreams -= 1;
	}

	/** Of a stream that the client has reset while it was open. */
	streamReset(): void {
		if (this.loss === undefined) this.#listener.reset();
	}

	/** Why the connection is gone; undefined while it is not. */
	get loss(): Error | undefined {
		// Where the socket closes first, the streams hear of it before the session is destroyed.
		return this.#session?.destroyed || this.#socket.destroyed
			? (this.#error ??
					this.#socket.errored ??
					new Error("the client closed the connection"))
			: undefined;
	}

	/**
	 * One GOAWAY, rather than the two of RFC 9113 section 6.8: between them node:http2 would stop to read where no stream is
	 * open, and hear of the connection no more.
	 */
	close(): void {
		this.#session?.close();
	}

	destroy(error?: Error, code?: number): void {
		this.#error ??= error;
		if (this.#session === undefined) this.#socket.destroy();
		else if (code === undefined) this.#session.destroy();
		// Without an error Node ignores the code.
		else this.#session.destroy(error ?? new Error(nameOfReset(code)), code);
	}
}

function settingsFrame(settings: Buffer): Buffer {
	const header = Buffer.alloc(9);
	header.writeUIntBE(settings.length, 0, 3);
	header.writeUInt8(SETTINGS_FRAME, 3);
	return Buffer.concat([header, settings]);
}

const owner: unique symbol = Symbol("owner");
type Owned = ServerHttp2Stream & { [owner]: NodeServerStream };

const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };
const WITHOUT_BODY = { endStream: true, sendDate: false };

class NodeServerStream implements ServerStream {
	readonly #http2: ServerHttp2Stream;
	readonly #connection: NodeServerConnection;
	readonly #outbox: Outbox;
	#listener: StreamListener | undefined;
	#trailers: RawHeaders | undefined;
	#paused = false;
	#isOpen = true;

	constructor(http2: ServerHttp2Stream, connection: NodeServerConnection) {
		this.#http2 = http2;
		this.#connection = connection;
		this.#outbox = new Outbox(http2);
		(http2 as Owned)[owner] = this;
		http2.push = push as typeof http2.push;
		http2.on("data", onData);
		http2.on("end", onEnd);
		http2.on("drain", onDrain);
		http2.on("wantTrailers", onWantTrailers);
		http2.on("aborted", onAborted);
		http2.on("error", onError);
		http2.on("close", onAborted);
	}

	get maxHeaderBytes(): number {
		return this.#connection.maxHeaderBytes;
	}

	listen(listener: StreamListener): void {
		this.#listener = listener;
	}

	respond(headers: RawHeaders): void {
		if (this.#http2.destroyed || this.#http2.closed) return;
		this.#http2.respond(toHeaderList(headers), WITH_TRAILERS);
	}

	write(message: Uint8Array, compressed: boolean): boolean {
		return this.#outbox.write(message, compressed);
	}

	sendTrailers(trailers: RawHeaders): void {
		const http2 = this.#http2;
		if (http2.destroyed || http2.closed) return;
		this.resume();
		if (http2.headersSent) {
			this.#trailers = trailers;
			this.#outbox.end();
		} else {
			http2.respond(toHeaderList(trailers), WITHOUT_BODY);
			this.#over();
			this.#leave();
		}
	}

	reset(code: number): void {
		this.#listener = undefined;
		this.#over();
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

	/** Whether more is welcome. */
	heardData(chunk: Uint8Array): boolean {
		this.#connection.tell();
		this.#listener?.data(chunk);
		return !this.#paused;
	}

	heardEnd(): void {
		if (!this.#http2.aborted) this.#listener?.end();
		leaveClosed(this.#http2);
	}

	heardDrain(): void {
		this.#outbox.drained();
		this.#listener?.writable();
	}

	heardWantTrailers(): void {
		this.#http2.sendTrailers(toHeaderObject(this.#trailers ?? []));
		this.#over();
		this.#leave();
	}

	heardAborted(): void {
		if (this.#isOpen) this.#connection.streamReset();
		this.#over();
		const listener = this.#listener;
		this.#listener = undefined;
		listener?.reset({
			code: this.#http2.rstCode,
			progress: "processed",
			cause: this.#connection.loss,
		});
	}

	/** Closed, or about to be for lack of anything that could still be sent. */
	#over(): void {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		this.#connection.streamOver();
	}

	/** A client that is still sending need not: the response is whole (RFC 9113 section 8.1). */
	#leave(): void {
		const http2 = this.#http2;
		if (http2.readableEnded) return;
		// Node sends the trailers in an immediate, too.
		setImmediate(() => {
			if (!http2.readableEnded && !http2.destroyed) http2.close();
		});
	}
}

// One function for all streams, rather than seven closures for each.

const push = directPush<Owned>((http2, chunk) => http2[owner].heardData(chunk));

/** Makes the stream flow; where `push` is Node's own, bytes come here. */
function onData(this: Owned, chunk: Uint8Array): void {
	this[owner].heardData(chunk);
}

function onEnd(this: Owned): void {
	this[owner].heardEnd();
}

function onRefusedEnd(this: ServerHttp2Stream): void {
	leaveClosed(this);
}

function onDrain(this: Owned): void {
	this[owner].heardDrain();
}

function onWantTrailers(this: Owned): void {
	this[owner].heardWantTrailers();
}

/** Also heard when all went well and the stream has closed: its owner has long stopped to listen then. */
function onAborted(this: Owned): void {
	this[owner].heardAborted();
}

/** "close" follows, and says all there is to know. */
function onError(): void {}
