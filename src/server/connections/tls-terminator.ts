import { AsyncLocalStorage } from "node:async_hooks";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { Clock } from "../../policy/clock.ts";
import { printRejection } from "../../policy/guarded.ts";
import {
	copyCredentials,
	nodeCredentials,
	sameCredentials,
	secureContext,
} from "../../tls/secure-context.ts";
import {
	type ServerTls,
	type ServerTlsOptions,
	serverTlsOptions,
} from "../options/tls-options.ts";
import type { Handshake } from "./handshake.ts";
import { Renewal } from "./renewal.ts";

export interface TlsTerminatorInit {
	readonly clock: Clock;
	/** Limit for a client, from the accepted socket on. */
	readonly handshakeTimeoutMs: number;
	onSecure(socket: TLSSocket, handshake: Handshake): void;
	/** The options could not be renewed. The last good ones stay in use. */
	onFailure(error: unknown): void;
}

/** Performs the TLS handshake on accepted sockets. */
export class TlsTerminator {
	readonly #renewal: Renewal<ServerTlsOptions> | undefined;
	readonly #init: TlsTerminatorInit;
	/** Tells whose socket an event of node:tls is about. */
	readonly #handshakes = new AsyncLocalStorage<Handshake>();
	#made:
		| { readonly from: ServerTlsOptions; readonly server: Server }
		| undefined;

	/** @throws OptionError for bad options, unless a function is still to return them */
	constructor(tls: ServerTls, init: TlsTerminatorInit) {
		this.#init = init;
		if (typeof tls === "function") {
			this.#renewal = new Renewal(tls, (options) => this.#use(options), {
				clock: init.clock,
				what: "the function `tls`",
				// Leaves time for the rest of the handshake.
				withinMs: init.handshakeTimeoutMs / 2,
			});
		} else {
			this.#use(tls);
		}
	}

	/** Asks for the options again. Rejects if they are bad, or do not come in time. */
	async renew(): Promise<void> {
		await this.#renewal?.renew();
	}

	/** Takes over a socket. `onSecure` gets it back once its TLS handshake has succeeded. */
	async accept(handshake: Handshake): Promise<void> {
		const { socket } = handshake;
		try {
			handshake.step = "the function `tls`";
			await this.renew();
		} catch (error) {
			this.#init.onFailure(error);
		}
		const server = this.#made?.server;
		if (server === undefined) {
			socket.destroy();
		} else if (!socket.destroyed) {
			handshake.step = "the handshake of TLS";
			// This is how a server that does not listen is given a socket (nodejs.org/api/tls.html, event "connection").
			this.#handshakes.run(handshake, () => server.emit("connection", socket));
		}
	}

	#use(options: ServerTlsOptions): void {
		if (this.#made !== undefined && same(this.#made.from, options)) return;
		serverTlsOptions(options, "tls");
		// Throws for certificates and keys that are no good, saying which and why.
		secureContext(options, "tls");
		const from = { ...options, ...copyCredentials(options) };
		this.#made = { from, server: this.#serverOf(options) };
	}

	#serverOf(options: ServerTlsOptions): Server {
		const { ca, rejectUnauthorized = true, checkClientIdentity } = options;
		const mode =
			options.clientCertificate ?? (ca === undefined ? "none" : "required");
		const server = createServer({
			...nodeCredentials(options),
			requestCert: mode !== "none",
			rejectUnauthorized: rejectUnauthorized && mode === "required",
			ALPNProtocols: ["h2"],
			// `Handshake` limits the time.
			handshakeTimeout: 2 ** 31 - 1,
		});
		server.on("secureConnection", (socket) => {
			const handshake = this.#handshakes.getStore() as Handshake;
			const refusal = refusalOf(
				socket,
				rejectUnauthorized,
				checkClientIdentity,
			);
			if (refusal !== undefined) handshake.failed(refusal.message);
			// A client without ALPN has not been refused by TLS itself (RFC 7301 section 3.2).
			else if (socket.alpnProtocol === "h2")
				this.#init.onSecure(socket, handshake);
			else handshake.failed("the client did not ask for HTTP/2 (ALPN)");
		});
		server.on("tlsClientError", (error, socket) => {
			this.#handshakes.getStore()?.failed(error.message);
			socket.destroy();
		});
		return server;
	}
}

/** Says why a client may not connect whose TLS handshake has succeeded. Without a certificate it may: node:tls has required one if it must. */
function refusalOf(
	socket: TLSSocket,
	rejectUnauthorized: boolean,
	check: ServerTlsOptions["checkClientIdentity"],
): Error | undefined {
	const certificate = socket.getPeerX509Certificate();
	if (certificate === undefined) return undefined;
	if (!socket.authorized) {
		return rejectUnauthorized
			? new Error(
					`the client's certificate is not good: ${socket.authorizationError}`,
				)
			: undefined;
	}
	try {
		const refusal: unknown = check?.(certificate);
		if (refusal === undefined || refusal instanceof Error) return refusal;
		printRejection(refusal, "tls.checkClientIdentity");
		throw new TypeError("it returned neither an Error nor undefined");
	} catch (cause) {
		return new Error(
			`tls.checkClientIdentity failed: ${cause instanceof Error ? cause.message : cause}`,
			{ cause },
		);
	}
}

function same(a: ServerTlsOptions, b: ServerTlsOptions): boolean {
	return (
		sameCredentials(a, b) &&
		a.clientCertificate === b.clientCertificate &&
		a.checkClientIdentity === b.checkClientIdentity &&
		a.rejectUnauthorized === b.rejectUnauthorized
	);
}
