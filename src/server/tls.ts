import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import {
	boolean,
	type Check,
	checkOptions,
	either,
	type OptionTable,
	text,
} from "../policy/option-table.ts";
import { PolicyError } from "../policy/policy-error.ts";

/** Certificates and keys, in PEM. */
export interface ServerTlsOptions {
	/** The authorities of the clients: with them, a client has to show a certificate that one of them has signed. */
	ca?: string | Uint8Array | undefined;
	cert?: string | Uint8Array | undefined;
	key?: string | Uint8Array | undefined;
	/** false: with `ca`, take clients without a good certificate, too; `peerOf` shows only good ones. Default: true. */
	rejectUnauthorized?: boolean | undefined;
	/** Of no meaning to a server. */
	servername?: string | undefined;
}

/** TLS options, or a function that is asked again for each new connection, so that certificates can be renewed. */
export type ServerTls =
	| ServerTlsOptions
	| (() => ServerTlsOptions | Promise<ServerTlsOptions>);

const pem: Check = either<unknown>(
	"PEM, as a string or bytes",
	text,
	(value, where) => (value instanceof Uint8Array ? value : text(value, where)),
);

export const tlsTable: OptionTable<ServerTlsOptions> = {
	ca: pem,
	cert: { required: pem },
	key: { required: pem },
	rejectUnauthorized: boolean,
	servername: text,
};

export interface TlsTerminatorInit {
	readonly handshakeTimeoutMs: number;
	onSecure(socket: TLSSocket): void;
	/** The options could not be renewed; the last good ones go on. */
	onFailure(error: unknown): void;
}

/** Does the handshake of TLS on accepted sockets. */
export class TlsTerminator {
	readonly #tls: ServerTls;
	readonly #init: TlsTerminatorInit;
	#made:
		| { readonly from: ServerTlsOptions; readonly server: Server }
		| undefined;

	/** @throws PolicyError for bad options, unless a function has yet to return them */
	constructor(tls: ServerTls, init: TlsTerminatorInit) {
		this.#tls = tls;
		this.#init = init;
		if (typeof tls !== "function") this.#use(tls);
	}

	/** Asks for the options anew. Rejects when they are bad, or cannot be had. */
	async renew(): Promise<void> {
		if (typeof this.#tls === "function") this.#use(await this.#tls());
	}

	/** Takes over a socket, which comes back as `onSecure` once its handshake has succeeded. */
	async accept(socket: Socket): Promise<void> {
		try {
			await this.renew();
		} catch (error) {
			this.#init.onFailure(error);
		}
		if (this.#made === undefined) socket.destroy();
		// This is how a server that does not listen is given a socket (nodejs.org/api/tls.html, event "connection").
		else if (!socket.destroyed) this.#made.server.emit("connection", socket);
	}

	#use(options: ServerTlsOptions): void {
		if (this.#made !== undefined && same(this.#made.from, options)) return;
		checkOptions(options, tlsTable, "tls");
		this.#made = { from: { ...options }, server: this.#serverOf(options) };
	}

	#serverOf(options: ServerTlsOptions): Server {
		const { ca, cert = "", key = "", rejectUnauthorized = true } = options;
		let server: Server;
		try {
			server = createServer({
				...(ca !== undefined && { ca: pemOf(ca), requestCert: true }),
				cert: pemOf(cert),
				key: pemOf(key),
				rejectUnauthorized,
				ALPNProtocols: ["h2"],
				handshakeTimeout: this.#init.handshakeTimeoutMs,
			});
		} catch (error) {
			throw new PolicyError(
				"tls",
				`certificate and key are of no use: ${(error as Error).message}`,
			);
		}
		server.on("secureConnection", (socket) => {
			// A client without ALPN has not been refused by TLS itself (RFC 7301 section 3.2).
			if (socket.alpnProtocol === "h2") this.#init.onSecure(socket);
			else socket.destroy();
		});
		// Its client sees for itself that a handshake has failed.
		server.on("tlsClientError", (_error, socket) => socket.destroy());
		return server;
	}
}

function pemOf(pem: string | Uint8Array): string | Buffer {
	return typeof pem === "string"
		? pem
		: Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength);
}

function same(a: ServerTlsOptions, b: ServerTlsOptions): boolean {
	return (
		a.ca === b.ca &&
		a.cert === b.cert &&
		a.key === b.key &&
		a.rejectUnauthorized === b.rejectUnauthorized
	);
}
