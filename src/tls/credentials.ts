import { OptionError } from "../checks/option-error.ts";
import {
	at,
	type OptionTable,
	oneOf,
	record,
	text,
} from "../checks/option-table.ts";
import { isPem, type Pem, pem, pemBlocks, pems, textOf } from "./pem.ts";

/**
 * The TLS options that clients and servers share, named as in node:tls. Strings and bytes hold PEM: the content of a file,
 * not its name.
 */
export interface TlsCredentials {
	/**
	 * The certificate authorities to trust: PEM with one or more certificates, or a list of such PEMs. Default: Node's
	 * certificate authorities.
	 */
	ca?: Pem | readonly Pem[] | undefined;
	/** This side's own certificate, followed by its intermediate certificates. Requires `key`. */
	cert?: Pem | undefined;
	/** The private key of `cert`. Requires `cert`. */
	key?: Pem | undefined;
	/** The passphrase of an encrypted `key`. */
	passphrase?: string | undefined;
	/**
	 * The lowest version of TLS to accept, "TLSv1.2" or "TLSv1.3"; HTTP/2 allows no older version (RFC 9113 section 9.2).
	 * Default: Node's default, which is TLS 1.2.
	 */
	minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
	/**
	 * Certificate revocation lists in PEM. If any is given, each certificate authority in a peer's chain needs one
	 * (OpenSSL, X509_V_FLAG_CRL_CHECK_ALL). Default: revocation is not checked.
	 */
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
 * Checks that `cert` and `key` are given together. Call it before the values themselves are checked.
 *
 * @throws OptionError that names the missing option
 */
export function checkPairs(options: unknown, where: string): void {
	const { cert, key } = record(options, where);
	// The check of the value itself gives the better error for what is not PEM.
	if (!isPem(cert ?? key)) return;
	if ((cert === undefined) === (key === undefined)) return;
	const [given, missing] =
		cert === undefined ? ["key", "cert"] : ["cert", "key"];
	throw new OptionError(
		at(where, missing),
		`is missing beside ${at(where, given)}; a certificate is used with its private key, so give both`,
		"missing",
	);
}

/**
 * Checks that an encrypted key has a passphrase, and that a passphrase has a key.
 *
 * @throws OptionError that names the passphrase
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
			`is given without a key to decrypt; ${at(where, "key")} is missing`,
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

/** Recognizes encrypted PKCS #8 (RFC 7468 section 11) and the older form (RFC 1421 section 4.6.1.1). */
function isEncrypted(key: Pem): boolean {
	return (
		/-----BEGIN ENCRYPTED PRIVATE KEY-----/.test(textOf(key)) ||
		pemBlocks(key, "private key").some((block) =>
			/^Proc-Type: *4,ENCRYPTED/m.test(block),
		)
	);
}
