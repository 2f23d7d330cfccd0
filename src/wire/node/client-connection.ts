import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect,
} from "node:http2";
import type { Socket } from "node:net";
import { endOfLoss } from "../call-end.ts";
import type {
	CallEnd,
	CallListener,
	CallStart,
	ClientCall,
	ClientConnection,
	ConnectionListener,
	RequestProgress,
} from "../connection.ts";
import { NO_HEADERS } from "../headers.ts";
import { Http2Code } from "../http2-code.ts";
import { MAX_HEADER_BYTES } from "../metadata.ts";
import { type CallHost, NodeClientCall } from "./client-call.ts";
import { requestHeaders, toHeaderList } from "./header-list.ts";
import { headerPairs } from "./header-pairs.ts";
import { SESSION_MEMORY_MB } from "./session-memory.ts";
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from "./windows.ts";

/** Speaks HTTP/2 as a client over a connected socket. */
export function clientConnection(
	socket: Socket,
	listener: ConnectionListener,
): ClientConnection {
	return new NodeClientConnection(socket, listener);
}

/** From this stream id on, a connection is to be replaced. The ids above are for calls that start in the meantime. */
const LAST_STREAM_ID = 2 ** 31 - 2 ** 16;

class NodeClientConnection implements ClientConnection, CallHost {
	readonly #socket: Socket;
	readonly #session: ClientHttp2Session;
	readonly #listener: ConnectionListener;
	#error: Error | undefined;
	#lastStreamId = Number.POSITIVE_INFINITY;
	#greeted = false;
	/** The peer's MAX_CONCURRENT_STREAMS. */
	#maxStreams = Number.POSITIVE_INFINITY;
	#maxHeaderBytes = Number.POSITIVE_INFINITY;
	#openCalls = 0;
	#responses = 0;
	#awaitsResponse: (() => void) | undefined;
	readonly #watches = new Set<NodeClientCall>();
	#closing = false;
	#isUsedUp = false;

	constructor(socket: Socket, listener: ConnectionListener) {
		// The URL is not used: the socket exists, and every request names its scheme and authority.
		const session = connect("http://connected.invalid", {
			createConnection: () => socket,
			settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
			maxSessionMemory: SESSION_MEMORY_MB,
			maxHeaderListPairs: headerPairs(MAX_HEADER_BYTES),
			maxSendHeaderBlockLength: MAX_HEADER_BYTES,
		});
		this.#socket = socket;
		this.#session = session;
		this.#listener = listener;
		session.unref();
		session.once("connect", () =>
			session.setLocalWindowSize(CONNECTION_WINDOW_BYTES),
		);
		session.on(
			"remoteSettings",
			({ maxConcurrentStreams, maxHeaderListSize }) => {
				this.#maxHeaderBytes = maxHeaderListSize ?? Number.POSITIVE_INFINITY;
				this.#heardSettings(maxConcurrentStreams);
			},
		);
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
		// If a socket fails before the peer's SETTINGS have arrived, its session does not close.
		socket.once("error", (error: Error) => {
			this.destroy(error);
			if (this.#openCalls === 0) closed();
		});
	}

	get openCalls(): number {
		return this.#openCalls;
	}

	get hasRoom(): boolean {
		return this.#openCalls + this.#watches.size < this.#maxStreams;
	}

	get maxHeaderBytes(): number {
		return this.#maxHeaderBytes;
	}

	get responses(): number {
		return this.#responses;
	}

	/** Headers or data of a response have arrived. */
	responded(): void {
		this.#responses += 1;
		if (this.#awaitsResponse === undefined) return;
		const heard = this.#awaitsResponse;
		this.#awaitsResponse = undefined;
		heard();
	}

	awaitResponse(heard: () => void): void {
		this.#awaitsResponse = heard;
	}

	get heard(): number {
		return this.#socket.bytesRead;
	}

	start(start: CallStart, listener: CallListener): ClientCall {
		let http2: ClientHttp2Stream;
		try {
			http2 = this.#session.request(toHeaderList(requestHeaders(start)));
		} catch (error) {
			// If the connection is not the cause, sending the same again would not help.
			const isOver = this.#session.closed || this.#session.destroyed;
			return new UnsentCall(
				endOfLoss(
					this.#error ?? (error as Error),
					isOver ? "miscarried" : "processed",
					NO_HEADERS,
				),
				listener,
			);
		}
		const call = new NodeClientCall(http2, start, listener, this);
		if (start.purpose === "watch") this.#watches.add(call);
		else if (this.#openCalls++ === 0) this.#session.ref();
		if ((http2.id ?? 0) > LAST_STREAM_ID && !this.#isUsedUp) this.#useUp();
		return call;
	}

	/** Acts as if the peer had sent GOAWAY; but later, as the owner is about to get its call. */
	#useUp(): void {
		this.#isUsedUp = true;
		queueMicrotask(() => {
			this.#listener.goaway({ code: Http2Code.NO_ERROR, debugData: "" });
			this.close();
		});
	}

	ping(answered: () => void): boolean {
		// Node sends no PING after the peer has sent GOAWAY, however long the remaining streams take.
		if (this.#session.closed || this.#session.destroyed) return false;
		this.#session.ping((error: Error | null) => {
			if (error === null) answered();
		});
		return true;
	}

	progressOf({ id, rstCode }: ClientHttp2Stream): RequestProgress {
		if (id === undefined) {
			// Headers that are too large for the peer fail on a sound connection, and would fail again.
			const isOver = this.#session.closed || this.lossOf !== undefined;
			return isOver ? "miscarried" : "refused";
		}
		if (id > this.#lastStreamId) {
			// A peer that has taken calls and ends in order did not refuse this one: the two crossed on the wire.
			return this.#lastStreamId > 0 && this.#error === undefined
				? "miscarried"
				: "refused";
		}
		return rstCode === Http2Code.REFUSED_STREAM ? "refused" : "processed";
	}

	get lossOf(): Error | undefined {
		// If the socket closes first, the streams hear of it before the session is destroyed.
		return this.#session.destroyed || this.#socket.destroyed
			? (this.#error ??
					this.#socket.errored ??
					new Error("the peer closed the connection"))
			: undefined;
	}

	callClosed(call: NodeClientCall): void {
		const hadRoom = this.hasRoom;
		if (!this.#watches.delete(call) && --this.#openCalls === 0) {
			this.#session.unref();
			if (this.#closing) this.#closeSession();
		}
		if (!hadRoom && this.hasRoom) this.#listener.room();
	}

	/**
	 * Sends GOAWAY only when no call is left: a server may answer with a GOAWAY of its own, and refuse the requests that are
	 * still on their way to it.
	 */
	close(): void {
		this.#closing = true;
		if (this.#openCalls === 0) this.#closeSession();
	}

	destroy(error?: Error): void {
		this.#error ??= error;
		this.#session.destroy();
	}

	#heardSettings(maxStreams: number = Number.POSITIVE_INFINITY): void {
		const hadRoom = this.hasRoom;
		this.#maxStreams = maxStreams;
		if (!this.#greeted) {
			this.#greeted = true;
			this.#listener.ready();
		} else if (!hadRoom && this.hasRoom) {
			this.#listener.room();
		}
	}

	#closeSession(): void {
		for (const watch of this.#watches) watch.cancel();
		this.#session.close();
	}
}

/** A call that could not be sent, and ends in a later microtask. */
class UnsentCall implements ClientCall {
	#isCancelled = false;

	constructor(end: CallEnd, listener: CallListener) {
		queueMicrotask(() => {
			if (!this.#isCancelled) listener.end(end);
		});
	}

	send(): boolean {
		return false;
	}

	end(): void {}

	cancel(): void {
		this.#isCancelled = true;
	}

	hold(): void {}

	release(): void {}
}
