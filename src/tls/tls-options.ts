import type { PeerCertificate } from "node:tls";
import {
	boolean,
	type Check,
	callable,
	checkOptions,
	type OptionTable,
	text,
} from "../checks/option-table.ts";
import {
	checkPairs,
	checkPassphrase,
	credentialsTable,
	type TlsCredentials,
} from "./credentials.ts";

/**
 * The TLS options of a client, named as in node:tls. Strings and bytes hold PEM: the content of a file, not its name.
 */
export interface TlsOptions extends TlsCredentials {
	/** Whether the server's certificate must be valid. `false` accepts any certificate; use it in tests only. Default: true. */
	rejectUnauthorized?: boolean | undefined;
	/** The name that the server's certificate must match. Default: the host of the `authority`. */
	servername?: string | undefined;
	/**
	 * Decides whether a certificate that a trusted authority has signed belongs to the server, for example by a SPIFFE ID in
	 * `certificate.subjectaltname`. Returns undefined to accept the certificate, or an Error to refuse it; an error that it
	 * throws refuses it too. Default: the certificate must match `name`.
	 */
	checkServerIdentity?:
		| ((name: string, certificate: PeerCertificate) => Error | undefined)
		| undefined;
}

/** Called for each new connection, with its address, so that certificates can change without a restart. */
export type TlsSource = (address: string) => TlsOptions | Promise<TlsOptions>;

const table: OptionTable<TlsOptions> = {
	...credentialsTable,
	rejectUnauthorized: boolean,
	servername: text,
	checkServerIdentity: callable,
};

/** Checks the TLS options of a client. Throws an OptionError that names the invalid option. */
export const tlsOptions: Check<TlsOptions> = (value, where) => {
	checkPairs(value, where);
	checkOptions(value, table, where);
	checkPassphrase(value, where);
	return value;
};
