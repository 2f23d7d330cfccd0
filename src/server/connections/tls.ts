import { AsyncLocalStorage } from "node:async_hooks";
import type { X509Certificate } from "node:crypto";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { OptionError } from "../../checks/option-error.ts";
import {
	at,
	boolean,
	type Check,
	callable,
	checkOptions,
	type OptionTable,
	oneOf,
	record,
	text,
} from "../../checks/option-table.ts";
import type { Clock } from "../../policy/clock.ts";
import { printRejection } from "../../policy/guarded.ts";
import {
	checkPassphrase,
	credentialsTable,
	type TlsCredentials,
} from "../../tls/credentials.ts";
import {
	copyCredentials,
	nodeCredentials,
	sameCredentials,
	secureContext,
} from "../../tls/secure-context.ts";
import type { Handshake } from "./handshake.ts";
import { Renewal } from "./renewal.ts";

/** Certificate and key, and what clients have to show; strings and bytes are PEM, the text of a file and not its name. */
export interface ServerTlsOptions extends TlsCredentials {
	/**
	 * Of the client: "required", signed by an authority of `ca`; "optional": as good as that, or none; "none": not asked for.
	 * Default: "required" with `ca`, else "none".
	 */
	clientCertificate?: "required" | "optional" | "none" | undefined;
	/**
	 * Decides whether a client whose certificate an authority of `ca` has signed may connect: by a SPIFFE ID in
	 * `certificate.subjectAltName`, say. Returns an Error to refuse it; what it throws refuses it, too.
	 */
	checkClientIdentity?:
		| ((certificate: X509Certificate) => Error | undefined)
		| undefined;
	/** false: with `ca`, take clients whose certificate is not good, too; `peerOf` shows only good ones. Default: true. */
	rejectUnauthorized?: boolean | undefined;
	/** Of no meaning to a server. */
	servername?: string | undefined;
}

/** TLS options, or a function that is asked again for each new connection, so that certificates can be renewed. */
export type ServerTls =
	| ServerTlsOptions
	| (() => ServerTlsOptions | Promise<ServerTlsOptions>);

const table: OptionTable<ServerTlsOptions> = {
	...credentialsTable,
	cert: { required: credentialsTable.cert as Check },
	key: { required: credentialsTable.key as Check },
	clientCertificate: oneOf("required", "optional", "none"),
	checkClientIdentity: callable,
	rejectUnauthorized: boolean,
	servername: text,
};

/** @throws OptionError that names the bad option */
export const serverTlsOptions: Check<ServerTlsOptions> = (value, where) => {
	if ("checkServerIdentity" in record(value, where)) {
		throw new OptionError(
			at(where, "checkServerIdentity"),
			`is an option of clients; a server has ${at(where, "checkClientIdentity")}`,
			"unknown",
		);
	}
	checkOptions(value, table, where);
	checkPassphrase(value, where);
	const { ca, clientCertificate: mode, checkClientIdentity } = value;
	const asking =
		mode === undefined ? checkClientIdentity !== undefined : mode !== "none";
	if (ca === undefined && asking) {
		throw new OptionError(
			at(where, "ca"),
			`is missing; ${at(where, mode === undefined ? "checkClientIdentity" : "clientCertificate")} needs the authorities of the clients`,
			"missing",
		);
	}
	if (mode === "none" && checkClientIdentity !== undefined) {
		throw new OptionError(
			at(where, "checkClientIdentity"),
			`has nothing to check, as ${at(where, "clientCertificate")} is "none"`,
		);
	}
	return value;
};

export interface TlsTerminatorInit {
	readonly clock: Clock;
	/** Of a client, from the accepted socket on. */
	readonly handshakeTimeoutMs: number;
	onSecure(socket: TLSSocket, handshake: Handshake): void;
	/** The options could not be renewed; the last good ones go on. */
	onFailure(error: unknown): void;
}

/** Does the handshake of TLS on accepted sockets. */
export class TlsTerminator {
	readonly #renewal: Renewal<ServerTlsOptions> | undefined;
	readonly #init: TlsTerminatorInit;
	/** Whose socket it is that node:tls speaks of. */
	readonly #handshakes = new AsyncLocalStorage<Handshake>();
	#made:
		| { readonly from: ServerTlsOptions; readonly server: Server }
		| undefined;

	/** @throws OptionError for bad options, unless a function has yet to return them */
	constructor(tls: ServerTls, init: TlsTerminatorInit) {
		this.#init = init;
		if (typeof tls === "function") {
			this.#renewal = new Renewal(tls, (options) => this.#use(options), {
				clock: init.clock,
				what: "the function `tls`",
				// Time for the rest of the handshake is left.
				withinMs: init.handshakeTimeoutMs / 2,
			});
		} else {
			this.#use(tls);
		}
	}

	/** Asks for the options anew. Rejects when they are bad, or cannot be had in time. */
	async renew(): Promise<void> {
		await this.#renewal?.renew();
	}

	/** Takes over a socket, which comes back as `onSecure` once its handshake of TLS has succeeded. */
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
		// Says of each what is wrong with it.
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
			// The handshake keeps the time.
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

/** Why a client whose handshake has succeeded may not connect: one without a certificate may, where that is optional. */
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
