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

/** Options of TLS, as node:tls has them; strings and bytes are PEM, the text of a file and not its name. */
export interface TlsOptions extends TlsCredentials {
	/** Whether the certificate of the server must be good; false accepts any, which is for tests only. Default: true. */
	rejectUnauthorized?: boolean | undefined;
	/** The name that the certificate of the server must have. Default: that of the `authority`. */
	servername?: string | undefined;
	/**
	 * Decides whether a certificate that a trusted authority has signed is that of the server, instead of by `name`: by a
	 * SPIFFE ID in `certificate.subjectaltname`, say. Returns an Error to refuse it; what it throws refuses it, too.
	 */
	checkServerIdentity?:
		| ((name: string, certificate: PeerCertificate) => Error | undefined)
		| undefined;
}

/** Asked for each new connection, with the address that it goes to, so that certificates can change without a restart. */
export type TlsSource = (address: string) => TlsOptions | Promise<TlsOptions>;

const table: OptionTable<TlsOptions> = {
	...credentialsTable,
	rejectUnauthorized: boolean,
	servername: text,
	checkServerIdentity: callable,
};

/** Throws OptionError that names the bad option. */
export const tlsOptions: Check<TlsOptions> = (value, where) => {
	checkPairs(value, where);
	checkOptions(value, table, where);
	checkPassphrase(value, where);
	return value;
};
