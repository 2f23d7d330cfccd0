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

/** Credentials as node:tls takes them. */
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
 * Reads credentials. Of a bundle, Node would take what comes before a certificate that it cannot read, and say nothing.
 *
 * @throws OptionError that names what cannot be read, or does not belong together
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
				`does not belong to the first certificate of ${at(where, "cert")}, which is our own`,
			);
		}
	}
	try {
		return createSecureContext(nodeCredentials(options));
	} catch (error) {
		throw new OptionError(
			/CRL/.test(wordsOf(error)) ? at(where, "crl") : where,
			`cannot be used: ${wordsOf(error)}`,
		);
	}
}

/** Keeps the last context: a function for the options is asked for each connection, and mostly says the same. */
export function contextKeeper(): typeof secureContext {
	let last:
		| { readonly of: TlsCredentials; readonly context: SecureContext }
		| undefined;
	return (options, where) => {
		if (last !== undefined && sameCredentials(last.of, options)) {
			return last.context;
		}
		const context = secureContext(options, where);
		// Without authorities of its own it has the platform's, which a program may change.
		if (options.ca !== undefined) last = { of: copied(options), context };
		return context;
	};
}

/** By content: files are read into new bytes each time. */
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

/** What a caller may go on to change is copied. */
export function copied(options: TlsCredentials): TlsCredentials {
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
				`${length === 1 ? "its certificate" : `certificate ${index + 1} of ${length}`} cannot be read: ${wordsOf(error)}`,
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
		if (/bad decrypt/.test(wordsOf(error))) {
			throw new OptionError(
				at(where, "passphrase"),
				`does not open ${at(where, "key")}`,
			);
		}
		throw new OptionError(
			at(where, "key"),
			`cannot be read as a private key: ${wordsOf(error)}`,
		);
	}
}

/** Of OpenSSL's "error:05800074:x509 certificate routines::key values mismatch", what is for people. */
function wordsOf(error: unknown): string {
	const { message } = error as Error;
	return message.replace(/^error:[\dA-F]+:[^:]*:[^:]*:/, "");
}
