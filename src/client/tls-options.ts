import {
	at,
	boolean,
	type Check,
	checkOptions,
	type OptionTable,
	text,
} from "../policy/option-table.ts";
import { PolicyError, shown } from "../policy/policy-error.ts";

/** Options of TLS, as node:tls has them; strings and bytes are PEM. */
export interface TlsOptions {
	/** Trusted instead of the platform's roots. */
	ca?: string | Uint8Array;
	/** Our own certificate, with its chain, for mutual TLS; with `key`. */
	cert?: string | Uint8Array;
	key?: string | Uint8Array;
	/** false accepts any certificate: for tests only. */
	rejectUnauthorized?: boolean;
	/** The name that the certificate must be made out to, instead of the authority's. */
	servername?: string;
}

/** Asked for each new connection, with the address that it goes to, so that certificates can change without a restart. */
export type TlsSource = (address: string) => TlsOptions | Promise<TlsOptions>;

const pem: Check = (value, where) => {
	if (typeof value === "string" || value instanceof Uint8Array) return value;
	throw new PolicyError(where, `${shown(value)} is not PEM text or bytes`);
};

const table: OptionTable<TlsOptions> = {
	ca: pem,
	cert: pem,
	key: pem,
	rejectUnauthorized: boolean,
	servername: text,
};

/** Throws PolicyError that names the bad option. */
export const tlsOptions: Check<TlsOptions> = (value, where) => {
	checkOptions(value, table, where);
	const { cert, key } = value;
	if ((cert === undefined) !== (key === undefined)) {
		const [given, missing] =
			cert === undefined ? ["key", "cert"] : ["cert", "key"];
		throw new PolicyError(
			at(where, missing),
			`is missing beside ${at(where, given)}; a certificate is shown with its key`,
			"missing",
		);
	}
	return value;
};
