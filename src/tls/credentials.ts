import { OptionError } from "../checks/option-error.ts";
import {
	at,
	type OptionTable,
	oneOf,
	record,
	text,
} from "../checks/option-table.ts";
import { isPem, type Pem, pem, pemBlocks, pems, textOf } from "./pem.ts";

/** What both sides of TLS have to say of themselves and of whom they trust, as node:tls has it. */
export interface TlsCredentials {
	/** The authorities that are trusted: PEM as text or bytes, with one certificate in it or with many, or a list of such. */
	ca?: Pem | readonly Pem[] | undefined;
	/** Our own certificate, followed by those between it and its authority; with `key`. */
	cert?: Pem | undefined;
	/** The private key of `cert`. */
	key?: Pem | undefined;
	/** Of a `key` that is encrypted. */
	passphrase?: string | undefined;
	/** "TLSv1.2" or "TLSv1.3"; HTTP/2 knows none before (RFC 9113 section 9.2). Default: that of Node, TLS 1.2. */
	minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
	/** Lists of revoked certificates, in PEM. With one, each authority of a chain needs its own (OpenSSL, X509_V_FLAG_CRL_CHECK_ALL). */
	crl?: Pem | readonly Pem[] | undefined;
}

export const credentialsTable: OptionTable<TlsCredentials> = {
	ca: pems("certificate"),
	cert: pem("certificate"),
	key: pem("private key"),
	passphrase: text,
	minVersion: oneOf("TLSv1.2", "TLSv1.3"),
	crl: pems("CRL"),
};

/**
 * Holds together what only together has a meaning; asked before the values are looked at.
 *
 * @throws OptionError that names what is missing
 */
export function checkPairs(options: unknown, where: string): void {
	const { cert, key } = record(options, where);
	// What is no PEM at all is told first.
	if (!isPem(cert ?? key)) return;
	if ((cert === undefined) === (key === undefined)) return;
	const [given, missing] =
		cert === undefined ? ["key", "cert"] : ["cert", "key"];
	throw new OptionError(
		at(where, missing),
		`is missing beside ${at(where, given)}; a certificate is shown with its key`,
		"missing",
	);
}

/**
 * Refuses a passphrase that is missing, or that has nothing to open.
 *
 * @throws OptionError that names it
 */
export function checkPassphrase(
	{ key, passphrase }: TlsCredentials,
	where: string,
): void {
	const path = at(where, "passphrase");
	if (key === undefined) {
		if (passphrase === undefined) return;
		throw new OptionError(
			path,
			`opens nothing; ${at(where, "key")} is missing`,
		);
	}
	if (passphrase === undefined && isEncrypted(key)) {
		throw new OptionError(
			path,
			`is missing, and ${at(where, "key")} is encrypted`,
			"missing",
		);
	}
}

/** PKCS #8 (RFC 7468 section 11), and the older form (RFC 1421 section 4.6.1.1). */
function isEncrypted(key: Pem): boolean {
	return (
		/-----BEGIN ENCRYPTED PRIVATE KEY-----/.test(textOf(key)) ||
		pemBlocks(key, "private key").some((block) =>
			/^Proc-Type: *4,ENCRYPTED/m.test(block),
		)
	);
}
