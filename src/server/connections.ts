import type { Socket } from "node:net";
import type { Clock } from "../policy/clock.ts";
import type {
	RawHeaders,
	ServerConnection,
	ServerStream,
} from "../wire/connection.ts";
import { serverConnection } from "../wire/node/server-connection.ts";
import { type Peer, peerOfSocket } from "./peer.ts";
import { type ServerTls, TlsTerminator } from "./tls.ts";

/** How long a client may take until it speaks HTTP/2, inside of TLS where there is TLS, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Bytes of a request's headers: what PROTOCOL-HTTP2 suggests would be 8 KiB, less than a token may need. */
const MAX_HEADER_LIST_BYTES = 16 * 1024;

export interface ConnectionsInit {
	readonly clock: Clock;
	readonly tls: ServerTls | undefined;
	readonly maxConcurrentStreams: number;
	onStream(stream: ServerStream, headers: RawHeaders, peer: Peer): void;
	/** The options of TLS could not be had for a connection, which has been closed. */
	onTlsFailure(error: unknown): void;
}

/** The clients of a server, from the accepted socket on. */
export class Connections {
	readonly #init: ConnectionsInit;
	readonly #tls: TlsTerminator | undefined;
	/** Those that do not speak HTTP/2 yet. */
	readonly #strangers: Set<Socket> = new Set();
	readonly #open: Set<ServerConnection> = new Set();
	#closing = false;
	#onDrained: (() => void) | undefined;

	constructor(init: ConnectionsInit) {
		this.#init = init;
		this.#tls =
			init.tls === undefined
				? undefined
				: new TlsTerminator(init.tls, HANDSHAKE_TIMEOUT_MS, (socket) =>
						this.#serve(socket),
					);
	}

	/** Those that speak HTTP/2. */
	get size(): number {
		return this.#open.size;
	}

	/**
	 * Finds out whether clients can be accepted at all.
	 *
	 * @throws what is wrong with the options of TLS
	 */
	async check(): Promise<void> {
		await this.#tls?.check();
	}

	/** Takes over a socket. */
	accept(socket: Socket): void {
		if (this.#tls === undefined) {
			this.#serve(socket);
			return;
		}
		this.#track(socket);
		this.#tls.accept(socket).catch((error: unknown) => {
			socket.destroy();
			this.#init.onTlsFailure(error);
		});
	}

	/** No new calls; those in flight go on. Resolves when they have ended and the clients are gone. */
	close(): Promise<void> {
		this.#closing = true;
		for (const socket of this.#strangers) socket.destroy();
		for (const connection of this.#open) connection.close();
		return new Promise((resolve) => {
			this.#onDrained = resolve;
			this.#settle();
		});
	}

	/** Ends what is left of the connections. */
	destroy(): void {
		for (const connection of this.#open) connection.destroy();
	}

	#serve(socket: Socket): void {
		const { clock, maxConcurrentStreams, onStream } = this.#init;
		if (this.#closing) {
			socket.destroy();
			return;
		}
		this.#track(socket);
		const timer = clock.afterIdle(HANDSHAKE_TIMEOUT_MS, () => socket.destroy());
		const peer = peerOfSocket(socket);
		const connection: ServerConnection = serverConnection(
			socket,
			{ maxConcurrentStreams, maxHeaderListSize: MAX_HEADER_LIST_BYTES },
			{
				ready: () => {
					clock.cancel(timer);
					this.#strangers.delete(socket);
					this.#open.add(connection);
				},
				stream: (stream, headers) => onStream(stream, headers, peer),
				closed: () => {
					clock.cancel(timer);
					this.#open.delete(connection);
					this.#settle();
				},
			},
		);
	}

	#track(socket: Socket): void {
		this.#strangers.add(socket);
		// Whatever happens to a socket ends in "close".
		socket.on("error", () => {});
		socket.once("close", () => this.#strangers.delete(socket));
	}

	#settle(): void {
		if (this.#open.size === 0) this.#onDrained?.();
	}
}
