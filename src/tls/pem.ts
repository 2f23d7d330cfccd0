import { OptionError, shown } from "../checks/option-error.ts";
import { type Check, listOf } from "../checks/option-table.ts";

/** What a PEM block holds (RFC 7468). */
export type PemKind = "certificate" | "private key" | "CRL";

/** PEM as text, or the bytes of that text. */
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

/** Accepts PEM that holds at least one block of the kind. Its errors never show what may be a private key. */
export function pem(kind: PemKind): Check<Pem> {
	return (value, where) => {
		if (!isPem(value)) {
			throw new OptionError(where, `${shown(value)} is not PEM text or bytes`);
		}
		if (pemBlocks(value, kind).length === 0) {
			throw new OptionError(where, problemOf(value, kind));
		}
		return value;
	};
}

/** Accepts what `pem` accepts, or a list of such values that is not empty. */
export function pems(kind: PemKind): Check<Pem | readonly Pem[]> {
	return (value, where) => {
		if (!Array.isArray(value)) return pem(kind)(value, where);
		if (value.length > 0) return listOf(pem(kind))(value, where);
		throw new OptionError(where, "is an empty list; leave it out instead");
	};
}

/** Returns each PEM block of the kind, from its BEGIN line to its END line. Text between the blocks is a comment. */
export function pemBlocks(value: Pem, kind: PemKind): string[] {
	const blocks = textOf(value).matchAll(
		/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g,
	);
	return Array.from(blocks)
		.filter(([, label = ""]) => labels[kind].test(label))
		.map(([block]) => block);
}

/** Whether a value has the type of PEM. Does not look at the content. */
export function isPem(value: unknown): value is Pem {
	return typeof value === "string" || value instanceof Uint8Array;
}

export function textOf(value: Pem): string {
	return typeof value === "string"
		? value
		: new TextDecoder("latin1").decode(value);
}

function problemOf(value: Pem, kind: PemKind): string {
	const text = textOf(value);
	if (text.trim() === "") return "is empty";
	if (typeof value === "string" && isPath(value)) {
		return `${shown(value)} is a path: read the file, as in readFileSync(${shown(value)})`;
	}
	const [, first] = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text) ?? [];
	if (first === undefined) {
		return isDer(value)
			? `is binary (DER or PKCS #12), not PEM; convert it with openssl to text that begins with ${examples[kind]}`
			: `holds no ${kind} in PEM; give the content of the file, which begins with ${examples[kind]}, not its name`;
	}
	if (!labels[kind].test(first)) {
		return `holds a ${first}, but no ${kind} (${examples[kind]})`;
	}
	return text.includes(`-----END ${first}-----`)
		? `has a ${kind} that is not PEM`
		: `is cut off: ${examples[kind].replace(/BEGIN .*-----/, `END ${first}-----`)} is missing`;
}

/** Whether the bytes begin as DER does: with a SEQUENCE whose length takes several bytes (X.690 section 8.1.3.5). */
function isDer(value: Pem): boolean {
	const [tag, length = 0] = typeof value === "string" ? [] : value;
	return tag === 0x30 && length > 0x80;
}

/** Base64 contains slashes too. A value is taken for a path, and shown in the error, only if it cannot be key material. */
function isPath(text: string): boolean {
	return (
		text.length < 256 &&
		!/[\r\n]/.test(text) &&
		/^(file:|~?\/|\.\.?[\\/]|[a-z]:[\\/])|\.(pem|crt|cer|cert|key|der|p12|pfx|crl)$/i.test(
			text,
		)
	);
}
