import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import {
	createSecureContext,
	type SecureContext,
	type SecureContextOptions,
} from "node:tls";
import { OptionError } from "../checks/option-error.ts";
import { at } from "../checks/option-table.ts";
import type { TlsCredentials } from "./credentials.ts";
import { type Pem, pemBlocks } from "./pem.ts";

/** Converts credentials to the options of node:tls. */
export function nodeCredentials(options: TlsCredentials): SecureContextOptions {
	const { ca, cert, key, passphrase, minVersion, crl } = options;
	return {
		...(ca !== undefined && { ca: listed(ca).map(bytesOf) }),
		...(cert !== undefined && { cert: bytesOf(cert) }),
		...(key !== undefined && { key: bytesOf(key) }),
		...(passphrase !== undefined && { passphrase }),
		...(minVersion !== undefined && { minVersion }),
		...(crl !== undefined && { crl: listed(crl).map(bytesOf) }),
	};
}

/**
 * Creates a TLS context from credentials, and checks each certificate. Node itself would use the certificates of a bundle
 * up to the first that it cannot read, and silently ignore the rest.
 *
 * @throws OptionError that names the option that cannot be read, or the key that does not belong to the certificate
 */
export function secureContext(
	options: TlsCredentials,
	where: string,
): SecureContext {
	const { ca, cert, key, passphrase } = options;
	if (ca !== undefined) readAll(ca, at(where, "ca"));
	if (cert !== undefined && key !== undefined) {
		const [own] = readCertificates(cert, at(where, "cert"));
		if (own?.checkPrivateKey(readKey(key, passphrase, where)) === false) {
			throw new OptionError(
				at(where, "key"),
				`does not belong to the first certificate of ${at(where, "cert")}, which must be this side's own`,
			);
		}
	}
	try {
		return createSecureContext(nodeCredentials(options));
	} catch (error) {
		throw new OptionError(
			/CRL/.test(reasonOf(error)) ? at(where, "crl") : where,
			`cannot be used: ${reasonOf(error)}`,
		);
	}
}

/**
 * Returns a `secureContext` that keeps its last context and reuses it for equal credentials. A function for the TLS options
 * is called for each connection, and mostly returns the same.
 */
export function cachedSecureContext(): typeof secureContext {
	let last:
		| { readonly credentials: TlsCredentials; readonly context: SecureContext }
		| undefined;
	return (options, where) => {
		if (last !== undefined && sameCredentials(last.credentials, options)) {
			return last.context;
		}
		const context = secureContext(options, where);
		// Without `ca` the context holds the platform's authorities, which a program may change.
		if (options.ca !== undefined) {
			last = { credentials: copyCredentials(options), context };
		}
		return context;
	};
}

/** Compares credentials by content, because each read of a file gives new bytes. */
export function sameCredentials(a: TlsCredentials, b: TlsCredentials): boolean {
	return (
		a.passphrase === b.passphrase &&
		a.minVersion === b.minVersion &&
		sameAll(a.ca, b.ca) &&
		sameAll(a.cert, b.cert) &&
		sameAll(a.key, b.key) &&
		sameAll(a.crl, b.crl)
	);
}

/** Copies credentials, so that a caller who changes its bytes later does not change the copy. */
export function copyCredentials(options: TlsCredentials): TlsCredentials {
	return { ...options, ...nodeCredentials(options) } as TlsCredentials;
}

type PemList = Pem | readonly Pem[];

function listed(value: PemList): readonly Pem[] {
	return Array.isArray(value) ? value : [value as Pem];
}

function bytesOf(value: Pem): string | Buffer {
	return typeof value === "string" ? value : Buffer.from(value);
}

function sameAll(a: PemList | undefined, b: PemList | undefined): boolean {
	if (a === undefined || b === undefined) return a === b;
	const [these, those] = [listed(a), listed(b)];
	return (
		these.length === those.length &&
		these.every((one, index) => samePem(one, those[index] as Pem))
	);
}

function samePem(a: Pem, b: Pem): boolean {
	return typeof a === "string" || typeof b === "string"
		? a === b
		: Buffer.compare(a, b) === 0;
}

function readAll(value: PemList, where: string): void {
	if (!Array.isArray(value)) {
		readCertificates(value as Pem, where);
		return;
	}
	for (const [index, one] of value.entries()) {
		readCertificates(one, at(where, index));
	}
}

function readCertificates(value: Pem, where: string): X509Certificate[] {
	return pemBlocks(value, "certificate").map((block, index, { length }) => {
		try {
			return new X509Certificate(block);
		} catch (error) {
			throw new OptionError(
				where,
				`${length === 1 ? "its certificate" : `certificate ${index + 1} of ${length}`} cannot be read: ${reasonOf(error)}`,
			);
		}
	});
}

function readKey(
	value: Pem,
	passphrase: string | undefined,
	where: string,
): KeyObject {
	const [key = ""] = pemBlocks(value, "private key");
	try {
		return createPrivateKey({
			key,
			...(passphrase !== undefined && { passphrase }),
		});
	} catch (error) {
		if (/bad decrypt/.test(reasonOf(error))) {
			throw new OptionError(
				at(where, "passphrase"),
				`does not open ${at(where, "key")}`,
			);
		}
		throw new OptionError(
			at(where, "key"),
			`cannot be read as a private key: ${reasonOf(error)}`,
		);
	}
}

/** Returns "key values mismatch" from OpenSSL's "error:05800074:x509 certificate routines::key values mismatch". */
function reasonOf(error: unknown): string {
	const { message } = error as Error;
	return message.replace(/^error:[\dA-F]+:[^:]*:[^:]*:/, "");
}
