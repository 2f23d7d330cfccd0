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
import { peerOfSocket } from "./peer-of-socket.ts";
import { Presence, type PresenceLimits } from "./presence.ts";
import { TlsTerminator } from "./tls-terminator.ts";

export interface ConnectionsInit {
	readonly clock: Clock;
	readonly tls: ServerTls | undefined;
	readonly maxConcurrentStreams: number;
	readonly maxMetadataBytes: number;
	/** Until a client speaks HTTP/2, inside of TLS where there is TLS, from the accepted socket on. */
	readonly handshakeTimeoutMs: number;
	readonly presence: PresenceLimits;
	readonly refusals: Refusals;
	readonly resets: ResetBudget;
	onCall(call: ServerCall, headers: RawHeaders, peer: Peer): void;
	/** The options of TLS could not be renewed. */
	onTlsFailure(error: unknown): void;
}

/** The clients of a server, from the accepted socket on. */
export class Connections {
	readonly #init: ConnectionsInit;
	readonly #tls: TlsTerminator | undefined;
	/** All that are open, those inside of TLS and those around it. */
	readonly #sockets: Set<Socket> = new Set();
	/** Clients that speak HTTP/2. */
	readonly #open: Set<ServerConnection> = new Set();
	readonly #presences = new WeakMap<Peer, Presence>();
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
		await this.#tls?.renew();
	}

	/** Takes over a socket. */
	accept(socket: Socket): void {
		this.#track(socket);
		const handshake = new Handshake(socket, this.#init);
		if (this.#tls === undefined) this.#serve(socket, handshake);
		else void this.#tls.accept(handshake);
	}

	/** Is a client still there? One of its requests has stopped in the middle. */
	doubt(peer: Peer): void {
		this.#presences.get(peer)?.doubt();
	}

	/** Asks clients for no more calls; those in flight go on. Resolves when they have ended and the clients are gone. */
	close(): Promise<void> {
		this.#closing = true;
		for (const connection of this.#open) connection.close();
		return new Promise((resolve) => {
			this.#onDrained = resolve;
			this.#settle();
		});
	}

	/** Ends what is left, in the middle of a handshake, too. */
	destroy(): void {
		this.#destroyed = true;
		for (const socket of this.#sockets) socket.destroy();
	}

	/** `socket`: as it was accepted, or TLS's on top of it. */
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
			// At once: what was read with this reset may hold hundreds more.
			connection.destroy(new Error(why), Http2Code.ENHANCE_YOUR_CALM);
		};
		let presence: Presence | undefined;
		const connection: ServerConnection = serverConnection(
			socket,
			{ maxConcurrentStreams, maxHeaderListSize: maxMetadataBytes },
			{
				ready: () => {
					handshake.succeeded();
					debugLog("server: %s is connected", peer.address);
					this.#open.add(connection);
					presence = this.#presenceOf(connection, peer);
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
					// Before, it is a handshake that fails.
					if (presence !== undefined) refusals.tell("protocol", why, peer);
				},
				closed: (error) => {
					debugLog(
						"server: %s is gone%s",
						peer.address,
						error ? `: ${error.message}` : "",
					);
					if (error !== undefined) handshake.failed(error.message);
					presence?.stop();
					this.#open.delete(connection);
					this.#settle();
				},
			},
		);
	}

	#presenceOf(connection: ServerConnection, peer: Peer): Presence {
		const { clock, presence: limits, refusals } = this.#init;
		const presence = new Presence(connection, clock, limits, {
			gone: (what, why) => {
				refusals.tell(what, why, peer);
				connection.destroy(new Error(why));
			},
		});
		this.#presences.set(peer, presence);
		return presence;
	}

	#track(socket: Socket): void {
		this.#sockets.add(socket);
		// Whatever happens to a socket ends in "close".
		socket.on("error", () => {});
		socket.once("close", () => this.#sockets.delete(socket));
		if (this.#destroyed) socket.destroy();
	}

	#settle(): void {
		if (this.#open.size === 0) this.#onDrained?.();
	}
}
