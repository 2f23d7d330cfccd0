import { OptionError, shown } from "../checks/option-error.ts";
import { type Check, listOf } from "../checks/option-table.ts";

/** What PEM holds (RFC 7468). */
export type PemKind = "certificate" | "private key" | "CRL";

/** PEM text, or the bytes of such a text. */
export type Pem = string | Uint8Array;

const labels: Readonly<Record<PemKind, RegExp>> = {
	certificate: /^((X509|TRUSTED) )?CERTIFICATE$/,
	"private key": /(^| )PRIVATE KEY$/,
	CRL: /^X509 CRL$/,
};

const examples: Readonly<Record<PemKind, string>> = {
	certificate: "-----BEGIN CERTIFICATE-----",
	"private key": "-----BEGIN PRIVATE KEY-----",
	CRL: "-----BEGIN X509 CRL-----",
};

/** PEM text or bytes with at least one of a kind in it. No error shows what may be a key. */
export function pem(kind: PemKind): Check<Pem> {
	return (value, where) => {
		if (!isPem(value)) {
			throw new OptionError(where, `${shown(value)} is not PEM text or bytes`);
		}
		if (pemBlocks(value, kind).length === 0) {
			throw new OptionError(where, whyNone(value, kind));
		}
		return value;
	};
}

/** The same, or a list of them. */
export function pems(kind: PemKind): Check<Pem | readonly Pem[]> {
	return (value, where) => {
		if (!Array.isArray(value)) return pem(kind)(value, where);
		if (value.length > 0) return listOf(pem(kind))(value, where);
		throw new OptionError(where, "is an empty list; leave it out instead");
	};
}

/** Each certificate, key or list of a PEM text, from its first line to its last; what stands between them is a comment. */
export function pemBlocks(value: Pem, kind: PemKind): string[] {
	const blocks = textOf(value).matchAll(
		/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g,
	);
	return Array.from(blocks)
		.filter(([, label = ""]) => labels[kind].test(label))
		.map(([block]) => block);
}

/** By its type; what is in it is another question. */
export function isPem(value: unknown): value is Pem {
	return typeof value === "string" || value instanceof Uint8Array;
}

export function textOf(value: Pem): string {
	return typeof value === "string"
		? value
		: new TextDecoder("latin1").decode(value);
}

function whyNone(value: Pem, kind: PemKind): string {
	const text = textOf(value);
	if (text.trim() === "") return "is empty";
	if (typeof value === "string" && isPath(value)) {
		return `${shown(value)} is a path: read the file, as in readFileSync(${shown(value)})`;
	}
	const [, first] = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text) ?? [];
	if (first === undefined) {
		return isDer(value)
			? `is binary (DER or PKCS #12) and no PEM; convert it with openssl, to text that begins with ${examples[kind]}`
			: `holds no ${kind} in PEM; give the text of the file, which begins with ${examples[kind]}, and not its name`;
	}
	if (!labels[kind].test(first)) {
		return `holds a ${first}, and no ${kind} (${examples[kind]})`;
	}
	return text.includes(`-----END ${first}-----`)
		? `has a ${kind} that is not PEM`
		: `is cut off: ${examples[kind].replace(/BEGIN .*-----/, `END ${first}-----`)} is missing`;
}

/** A SEQUENCE with a length of several bytes (X.690 section 8.1.3.5). */
function isDer(value: Pem): boolean {
	const [tag, length = 0] = typeof value === "string" ? [] : value;
	return tag === 0x30 && length > 0x80;
}

/** Base64 has slashes, too: only what can be nothing else is a path, and is shown. */
function isPath(text: string): boolean {
	return (
		text.length < 256 &&
		!/[\r\n]/.test(text) &&
		/^(file:|~?\/|\.\.?[\\/]|[a-z]:[\\/])|\.(pem|crt|cer|cert|key|der|p12|pfx|crl)$/i.test(
			text,
		)
	);
}
