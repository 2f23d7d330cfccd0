import {
	performServerHandshake,
	type ServerHttp2Session,
	type ServerHttp2Stream,
} from "node:http2";
import type { Duplex } from "node:stream";
import type {
	RawHeaders,
	ServerConnection,
	ServerStream,
	StreamListener,
} from "../connection.ts";
import { directPush, readOn } from "./direct-push.ts";
import { toHeaderList, toHeaderObject } from "./header-list.ts";
import { leaveClosed, Outbox, resetStream } from "./outbox.ts";
import { SESSION_MEMORY_MB } from "./session-memory.ts";
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from "./windows.ts";

/** What a server's connection tells its owner. */
export interface ServerConnectionListener {
	/** The peer's SETTINGS have arrived: it does speak HTTP/2. */
	ready(): void;
	/** A request. `listen` on its stream before returning. */
	stream(stream: ServerStream, headers: RawHeaders): void;
	closed(error: Error | undefined): void;
}

export interface ServerConnectionOptions {
	readonly maxConcurrentStreams: number;
	/** Bytes of all names and values of a request's headers, with 32 for each (RFC 9113 section 6.5.2). */
	readonly maxHeaderListSize: number;
}

/**
 * Resets per second that a connection may bring before it is taken for an attack (CVE-2023-44487). Node's own 33 would
 * end the connection of a client whose calls run into their deadlines.
 */
const RESETS_PER_SECOND = 1000;

/** Speaks HTTP/2, as a server, over an accepted socket. */
export function serverConnection(
	socket: Duplex,
	options: ServerConnectionOptions,
	listener: ServerConnectionListener,
): ServerConnection {
	const session = performServerHandshake(socket, {
		settings: { initialWindowSize: STREAM_WINDOW_BYTES, ...options },
		maxSessionMemory: SESSION_MEMORY_MB,
		streamResetBurst: 10 * RESETS_PER_SECOND,
		streamResetRate: RESETS_PER_SECOND,
	});
	return new NodeServerConnection(socket, session, listener);
}

class NodeServerConnection implements ServerConnection {
	readonly #socket: Duplex;
	readonly #session: ServerHttp2Session;
	#error: Error | undefined;

	constructor(
		socket: Duplex,
		session: ServerHttp2Session,
		listener: ServerConnectionListener,
	) {
		this.#socket = socket;
		this.#session = session;
		session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
		session.once("remoteSettings", () => listener.ready());
		session.on(
			"stream",
			(
				http2: ServerHttp2Stream,
				_headers: unknown,
				_flags: number,
				raw: RawHeaders,
			) => {
				listener.stream(new NodeServerStream(http2, this), raw);
			},
		);
		session.on("error", (error: Error) => {
			this.#error ??= error;
		});
		session.once("close", () => listener.closed(this.#error));
	}

	/** Why the connection is gone; undefined while it is not. */
	get loss(): Error | undefined {
		// Where the socket closes first, the streams hear of it before the session is destroyed.
		return this.#session.destroyed || this.#socket.destroyed
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
		this.#session.close();
	}

	destroy(error?: Error): void {
		this.#error ??= error;
		this.#session.destroy();
	}
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

	listen(listener: StreamListener): void {
		this.#listener = listener;
	}

	respond(headers: RawHeaders): void {
		if (this.#http2.destroyed || this.#http2.closed) return;
		this.#http2.respond(toHeaderList(headers), WITH_TRAILERS);
	}

	write(chunk: Uint8Array): boolean {
		return this.#outbox.write(chunk);
	}

	end(last?: Uint8Array): void {
		this.#outbox.end(last);
	}

	sendTrailers(trailers: RawHeaders): void {
		const http2 = this.#http2;
		if (http2.destroyed || http2.closed) return;
		this.resume();
		if (http2.headersSent) {
			this.#trailers = trailers;
			this.#outbox.end(undefined);
		} else {
			http2.respond(toHeaderList(trailers), WITHOUT_BODY);
			this.#leave();
		}
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

	/** Whether more is welcome. */
	heardData(chunk: Uint8Array): boolean {
		this.#listener?.data(chunk);
		return !this.#paused;
	}

	heardEnd(): void {
		if (!this.#http2.aborted) this.#listener?.end([]);
		leaveClosed(this.#http2);
	}

	heardDrain(): void {
		this.#outbox.drained();
		this.#listener?.writable();
	}

	heardWantTrailers(): void {
		this.#http2.sendTrailers(toHeaderObject(this.#trailers ?? []));
		this.#leave();
	}

	heardAborted(): void {
		const listener = this.#listener;
		this.#listener = undefined;
		listener?.reset({
			code: this.#http2.rstCode,
			progress: "processed",
			cause: this.#connection.loss,
		});
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
