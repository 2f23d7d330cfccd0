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

/** Takes over a socket's bytes, and gives back those inside of TLS once the handshake has succeeded. */
export class TlsTerminator {
	readonly #tls: ServerTls;
	readonly #handshakeTimeoutMs: number;
	readonly #onSecure: (socket: TLSSocket) => void;
	#made: { from: ServerTlsOptions; server: Server } | undefined;

	constructor(
		tls: ServerTls,
		handshakeTimeoutMs: number,
		onSecure: (socket: TLSSocket) => void,
	) {
		this.#tls = tls;
		this.#handshakeTimeoutMs = handshakeTimeoutMs;
		this.#onSecure = onSecure;
	}

	/**
	 * Finds out whether the options make sense: for before the first connection.
	 *
	 * @throws PolicyError, or what the options' function or node:tls threw
	 */
	async check(): Promise<void> {
		await this.#server();
	}

	/** Rejects when there are no good options at the moment; the socket is then still open. */
	async accept(socket: Socket): Promise<void> {
		const server = await this.#server();
		// node:tls documents this as the way to bring a socket to a server that does not listen.
		if (!socket.destroyed) server.emit("connection", socket);
	}

	async #server(): Promise<Server> {
		const options =
			typeof this.#tls === "function" ? await this.#tls() : this.#tls;
		if (this.#made === undefined || !same(this.#made.from, options)) {
			checkOptions(options, tlsTable, "tls");
			this.#made = { from: { ...options }, server: this.#make(options) };
		}
		return this.#made.server;
	}

	#make({ ca, cert, key, rejectUnauthorized }: ServerTlsOptions): Server {
		const server = createServer({
			...(ca !== undefined && { ca: buffer(ca), requestCert: true }),
			...(cert !== undefined && { cert: buffer(cert) }),
			...(key !== undefined && { key: buffer(key) }),
			rejectUnauthorized: rejectUnauthorized ?? true,
			ALPNProtocols: ["h2"],
			handshakeTimeout: this.#handshakeTimeoutMs,
		});
		server.on("secureConnection", (socket) => {
			if (socket.alpnProtocol === "h2") this.#onSecure(socket);
			else socket.destroy();
		});
		// A handshake that fails is the client's to see.
		server.on("tlsClientError", (_error, socket) => socket.destroy());
		return server;
	}
}

function buffer(pem: string | Uint8Array): string | Buffer {
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
