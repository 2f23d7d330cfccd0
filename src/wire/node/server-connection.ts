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
	ServerConnectionListener,
} from "../connection.ts";
import type { RawHeaders } from "../headers.ts";
import { Http2Code } from "../http2-code.ts";
import { MAX_HEADER_BYTES } from "../metadata.ts";
import { nameOfReset } from "../status.ts";
import { headerPairs } from "./header-pairs.ts";
import { leaveClosed, resetStream } from "./outbox.ts";
import { type CallHost, NodeServerCall } from "./server-call.ts";
import { ServerGreeting } from "./server-greeting.ts";
import { SESSION_MEMORY_MB } from "./session-memory.ts";
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from "./windows.ts";

export interface ServerConnectionOptions {
	/** Streams beyond this number are refused (REFUSED_STREAM). */
	readonly maxConcurrentStreams: number;
	/** Limit for the headers of a request, in bytes of names and values and 32 for each field (RFC 9113 section 6.5.2). */
	readonly maxHeaderListSize: number;
}

/**
 * Resets per second on a connection from which on they count as an attack (CVE-2023-44487). Node's default of 33 would end
 * the connection of a client whose calls reach their deadlines.
 */
const RESETS_PER_SECOND = 1000;

/** The errors with which Node ends the connection of a client that breaks the rules (nodejs.org/api/errors.html). */
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

class NodeServerConnection implements ServerConnection, CallHost {
	readonly #socket: Socket;
	readonly #options: ServerConnectionOptions;
	readonly #listener: ServerConnectionListener;
	/** Undefined until the client has acknowledged our limits. */
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

	/** What was read so far has had an effect. */
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
		const call = new NodeServerCall(http2, this);
		this.#listener.call(call, headers);
		call.begin();
	}

	/** Limit that the client sets for headers, in bytes. */
	get maxHeaderBytes(): number {
		return this.#maxHeaderBytes;
	}

	/** A stream does not count as open any more (RFC 9113 section 5.1.2). Called once for every stream. */
	streamOver(): void {
		this.#openStreams -= 1;
	}

	/** The client has reset a stream that was open. */
	streamReset(): void {
		if (this.lossOf === undefined) this.#listener.reset();
	}

	/** Why the connection is gone; undefined while it is not. */
	get lossOf(): Error | undefined {
		// If the socket closes first, the streams hear of it before the session is destroyed.
		return this.#session?.destroyed || this.#socket.destroyed
			? (this.#error ??
					this.#socket.errored ??
					new Error("the client closed the connection"))
			: undefined;
	}

	/**
	 * Sends one GOAWAY, and not the two of RFC 9113 section 6.8: between the two, node:http2 would stop reading if no stream
	 * is open, and not hear of the connection any more.
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

function onRefusedEnd(this: ServerHttp2Stream): void {
	leaveClosed(this);
}

/** "close" follows, and says all there is to know. */
function onError(): void {}
