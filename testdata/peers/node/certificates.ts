/**
 * Makes certificates while a test runs: X.509 version 3 with P-256 keys. It
 * writes their DER itself (RFC 5280), so that no external tool is needed.
 */

import {
	createPrivateKey,
	generateKeyPairSync,
	randomBytes,
	sign,
	X509Certificate,
} from "node:crypto";
import { isIP } from "node:net";

export interface CertificateInit {
	readonly commonName: string;
	/** The names, IPv4 addresses and URIs for which the certificate is valid. */
	readonly hosts?: readonly string[];
	/** The authority that signs the certificate. Default: the certificate is self-signed. */
	readonly issuer?: Identity;
	readonly notBefore?: Date;
	readonly notAfter?: Date;
}

/** A certificate and its private key, in PEM. */
export interface Identity {
	readonly commonName: string;
	readonly certificate: string;
	readonly key: string;
}

const dayMs = 24 * 60 * 60 * 1000;

export function makeIdentity(init: CertificateInit): Identity {
	const { publicKey, privateKey } = generateKeyPairSync("ec", {
		namedCurve: "P-256",
	});
	const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
	const tbs = sequence(
		explicit(0, integer(Buffer.of(2))),
		integer(Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
		ecdsaWithSha256,
		name(init.issuer?.commonName ?? init.commonName),
		sequence(
			time(init.notBefore ?? new Date(Date.now() - dayMs)),
			time(init.notAfter ?? new Date(Date.now() + dayMs)),
		),
		name(init.commonName),
		publicKey.export({ type: "spki", format: "der" }),
		explicit(3, sequence(...extensions(init))),
	);
	const signature = sign(
		"sha256",
		tbs,
		createPrivateKey(init.issuer?.key ?? key),
	);
	const der = sequence(tbs, ecdsaWithSha256, bitString(signature, 0));
	return { commonName: init.commonName, certificate: pem(der), key };
}

/** Makes a certificate revocation list, in PEM (RFC 5280 section 5). */
export function makeRevocationList(
	issuer: Identity,
	revoked: readonly Identity[],
): string {
	const yesterday = time(new Date(Date.now() - dayMs));
	const entries = revoked.map(({ certificate }) => {
		const { serialNumber } = new X509Certificate(certificate);
		return sequence(integer(Buffer.from(serialNumber, "hex")), yesterday);
	});
	const tbs = sequence(
		integer(Buffer.of(1)),
		ecdsaWithSha256,
		name(issuer.commonName),
		yesterday,
		time(new Date(Date.now() + dayMs)),
		...(entries.length > 0 ? [sequence(...entries)] : []),
	);
	const signature = sign("sha256", tbs, createPrivateKey(issuer.key));
	const der = sequence(tbs, ecdsaWithSha256, bitString(signature, 0));
	return pem(der, "X509 CRL");
}

function extensions({ issuer, hosts = [] }: CertificateInit): Buffer[] {
	const critical = tagged(0x01, Buffer.of(0xff));
	const isAuthority = issuer === undefined;
	const basic = isAuthority ? sequence(critical) : sequence();
	const keyUsage = isAuthority
		? bitString(Buffer.of(0x06), 1) // keyCertSign, cRLSign
		: bitString(Buffer.of(0x80), 7); // digitalSignature
	const list = [
		sequence(oid("55 1d 13"), critical, octets(basic)),
		sequence(oid("55 1d 0f"), critical, octets(keyUsage)),
	];
	if (hosts.length > 0) {
		const names = sequence(...hosts.map(generalName));
		list.push(sequence(oid("55 1d 11"), octets(names)));
	}
	return list;
}

function generalName(host: string): Buffer {
	if (host.includes("://")) return tagged(0x86, Buffer.from(host, "ascii"));
	return isIP(host) === 4
		? tagged(0x87, Buffer.from(host.split(".").map(Number)))
		: tagged(0x82, Buffer.from(host, "ascii"));
}

function tagged(tag: number, ...content: readonly Uint8Array[]): Buffer {
	const body = Buffer.concat(content);
	const length = body.length;
	const prefix =
		length < 0x80
			? [length]
			: length < 0x100
				? [0x81, length]
				: [0x82, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.of(tag, ...prefix), body]);
}

const sequence = (...items: readonly Uint8Array[]): Buffer =>
	tagged(0x30, ...items);
const integer = (bytes: Uint8Array): Buffer => tagged(0x02, bytes);
const octets = (bytes: Uint8Array): Buffer => tagged(0x04, bytes);
const explicit = (number: number, item: Uint8Array): Buffer =>
	tagged(0xa0 + number, item);
const bitString = (bytes: Uint8Array, unusedBits: number): Buffer =>
	tagged(0x03, Buffer.of(unusedBits), bytes);
const oid = (hex: string): Buffer =>
	tagged(0x06, Buffer.from(hex.replaceAll(" ", ""), "hex"));
const name = (commonName: string): Buffer =>
	sequence(
		tagged(
			0x31,
			sequence(oid("55 04 03"), tagged(0x0c, Buffer.from(commonName))),
		),
	);
/** Encodes a UTCTime, which holds the years 1950 to 2049. */
const time = (date: Date): Buffer => {
	const digits = date.toISOString().replace(/[-:T]|\..*/g, "");
	return tagged(0x17, Buffer.from(`${digits.slice(2)}Z`));
};
const pem = (der: Buffer, label = "CERTIFICATE"): string =>
	`-----BEGIN ${label}-----\n${der
		.toString("base64")
		.replace(/.{64}/g, "$&\n")
		.trimEnd()}\n-----END ${label}-----\n`;

const ecdsaWithSha256: Buffer = sequence(oid("2a 86 48 ce 3d 04 03 02"));
