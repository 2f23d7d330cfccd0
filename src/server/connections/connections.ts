import type { Socket } from "node:net";
import type { Clock } from "../../policy/clock.ts";
import type { ServerCall, ServerConnection } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { Http2Code } from "../../wire/http2-code.ts";
import { serverConnection } from "../../wire/node/server-connection.ts";
import type { Peer } from "../call/peer.ts";
import type { Refusals } from "../limits/refusals.ts";
import type { ResetBudget } from "../limits/reset-budget.ts";
import { debugLog } from "../options/debug-log.ts";
import type { ServerTls } from "../options/tls-options.ts";
import { Handshake } from "./handshake.ts";
import { Liveness, type LivenessLimits } from "./liveness.ts";
import { peerOfSocket } from "./peer-of-socket.ts";
import { TlsTerminator } from "./tls-terminator.ts";

export interface ConnectionsInit {
	readonly clock: Clock;
	readonly tls: ServerTls | undefined;
	readonly maxConcurrentStreams: number;
	readonly maxMetadataBytes: number;
	/** Limit for a client from the accepted socket until it speaks HTTP/2, TLS included. */
	readonly handshakeTimeoutMs: number;
	readonly liveness: LivenessLimits;
	readonly refusals: Refusals;
	readonly resets: ResetBudget;
	onCall(call: ServerCall, headers: RawHeaders, peer: Peer): void;
	/** The TLS options could not be renewed. */
	onTlsFailure(error: unknown): void;
}

/** The connections of a server, from the accepted socket on. */
export class Connections {
	readonly #init: ConnectionsInit;
	readonly #tls: TlsTerminator | undefined;
	/** All open sockets. A TLS connection has two: the accepted one, and the one inside of TLS. */
	readonly #sockets: Set<Socket> = new Set();
	/** The connections that speak HTTP/2. */
	readonly #open: Set<ServerConnection> = new Set();
	readonly #livenesses = new WeakMap<Peer, Liveness>();
	#closing = false;
	#destroyed = false;
	#onDrained: (() => void) | undefined;

	constructor(init: ConnectionsInit) {
		this.#init = init;
		this.#tls =
			init.tls === undefined
				? undefined
				: new TlsTerminator(init.tls, {
						clock: init.clock,
						handshakeTimeoutMs: init.handshakeTimeoutMs,
						onSecure: (socket, handshake) => this.#serve(socket, handshake),
						onFailure: init.onTlsFailure,
					});
	}

	/** The number of connections that speak HTTP/2. */
	get size(): number {
		return this.#open.size;
	}

	/**
	 * Checks whether clients can be accepted at all.
	 *
	 * @throws whatever is wrong with the TLS options
	 */
	async check(): Promise<void> {
		await this.#tls?.renew();
	}

	/** Takes over an accepted socket. */
	accept(socket: Socket): void {
		this.#track(socket);
		const handshake = new Handshake(socket, this.#init);
		if (this.#tls === undefined) this.#serve(socket, handshake);
		else void this.#tls.accept(handshake);
	}

	/** Finds out whether a client is still there: one of its requests has stopped in the middle. */
	probe(peer: Peer): void {
		this.#livenesses.get(peer)?.probe();
	}

	/** Asks clients to make no more calls. Calls in flight go on. Resolves when they have ended and the connections are closed. */
	close(): Promise<void> {
		this.#closing = true;
		for (const connection of this.#open) connection.close();
		return new Promise((resolve) => {
			this.#onDrained = resolve;
			this.#settle();
		});
	}

	/** Closes all sockets, also those in the middle of a handshake. */
	destroy(): void {
		this.#destroyed = true;
		for (const socket of this.#sockets) socket.destroy();
	}

	/** Speaks HTTP/2 on a socket: the accepted one, or the one inside of TLS. */
	#serve(socket: Socket, handshake: Handshake): void {
		const { maxConcurrentStreams, maxMetadataBytes, refusals, resets, onCall } =
			this.#init;
		if (socket !== handshake.socket) this.#track(socket);
		handshake.step = "HTTP/2's preface and SETTINGS";
		const peer = peerOfSocket(socket);
		const maySpend = resets.forConnection();
		let isEnding = false;
		const spendReset = (): void => {
			if (isEnding || maySpend()) return;
			isEnding = true;
			const why = "clients have reset more calls than the server can bear";
			refusals.tell("resets", why, peer);
			// At once: what has been read with this reset may contain hundreds more.
			connection.destroy(new Error(why), Http2Code.ENHANCE_YOUR_CALM);
		};
		let liveness: Liveness | undefined;
		const connection: ServerConnection = serverConnection(
			socket,
			{ maxConcurrentStreams, maxHeaderListSize: maxMetadataBytes },
			{
				ready: () => {
					handshake.succeeded();
					debugLog("server: %s is connected", peer.address);
					this.#open.add(connection);
					liveness = this.#livenessOf(connection, peer);
					if (this.#closing) connection.close();
				},
				call: (call, headers) => onCall(call, headers, peer),
				refused: () => {
					const why = `${maxConcurrentStreams} calls are open on the connection`;
					refusals.tell("maxConcurrentStreams", why, peer);
					spendReset();
				},
				reset: spendReset,
				violated: (why) => {
					// Before it is connected, this is a handshake that fails.
					if (liveness !== undefined) refusals.tell("protocol", why, peer);
				},
				closed: (error) => {
					debugLog(
						"server: %s is gone%s",
						peer.address,
						error ? `: ${error.message}` : "",
					);
					if (error !== undefined) handshake.failed(error.message);
					liveness?.stop();
					this.#open.delete(connection);
					this.#settle();
				},
			},
		);
	}

	#livenessOf(connection: ServerConnection, peer: Peer): Liveness {
		const { clock, liveness: limits, refusals } = this.#init;
		const liveness = new Liveness(connection, clock, limits, {
			gone: (what, why) => {
				refusals.tell(what, why, peer);
				connection.destroy(new Error(why));
			},
		});
		this.#livenesses.set(peer, liveness);
		return liveness;
	}

	#track(socket: Socket): void {
		this.#sockets.add(socket);
		// "close" follows, whatever happened to the socket.
		socket.on("error", () => {});
		socket.once("close", () => this.#sockets.delete(socket));
		if (this.#destroyed) socket.destroy();
	}

	#settle(): void {
		if (this.#open.size === 0) this.#onDrained?.();
	}
}
