import type { X509Certificate } from "node:crypto";
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
import {
	checkPassphrase,
	credentialsTable,
	type TlsCredentials,
} from "../../tls/credentials.ts";

/**
 * The certificate and key of a server, and what its clients have to show. Strings and bytes are PEM: the content of a file,
 * not its name.
 */
export interface ServerTlsOptions extends TlsCredentials {
	/**
	 * Whether clients show a certificate. "required": every client must, signed by an authority of `ca`. "optional": a client
	 * may come without one, but one that it shows must be signed so. "none": clients are not asked. Default: "required" with
	 * `ca`, otherwise "none".
	 */
	clientCertificate?: "required" | "optional" | "none" | undefined;
	/**
	 * Decides whether a client may connect whose certificate an authority of `ca` has signed, for example by a SPIFFE ID in
	 * `certificate.subjectAltName`. Returns an Error to refuse the client, undefined to let it in. What it throws refuses the
	 * client too. Default: every such client may connect.
	 */
	checkClientIdentity?:
		| ((certificate: X509Certificate) => Error | undefined)
		| undefined;
	/**
	 * false: accept clients with any certificate, or none; `peerOf` still shows only certificates that an authority of `ca` has
	 * signed. Default: true.
	 */
	rejectUnauthorized?: boolean | undefined;
	/** Ignored on a server; accepted so that both sides can share one options object. */
	servername?: string | undefined;
}

/**
 * TLS options, or a function that returns them. The function is called for every new connection, so that certificates can
 * be renewed without a restart.
 */
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
