import { describe, expect, test } from "vitest";
import { makeIdentity } from "../../testdata/peers/node/certificates.ts";
import { type Pem, type PemKind, pem, pemBlocks, pems } from "./pem.ts";

const { certificate, key } = makeIdentity({ commonName: "one" });
const secret = key.split("\n")[1] as string;

/** Returns the message of the error with which a value is refused; "" if it is accepted. */
function refusal(kind: PemKind, value: unknown): string {
	try {
		pem(kind)(value, "tls.x");
		return "";
	} catch (error) {
		return (error as Error).message;
	}
}

describe("PEM", () => {
	test.each<[string, PemKind, Pem]>([
		["a certificate", "certificate", certificate],
		["bytes", "certificate", Buffer.from(certificate)],
		["with CRLF", "certificate", certificate.replaceAll("\n", "\r\n")],
		["after a comment", "certificate", `subject=/CN=one\n${certificate}`],
		["with its key before it", "certificate", key + certificate],
		["a private key", "private key", key],
		["a key behind its certificate", "private key", certificate + key],
	])("%s is accepted", (_, kind, value) => {
		expect(refusal(kind, value)).toBe("");
	});

	test.each<[string, string]>([
		["/etc/ssl/ca.pem", '"/etc/ssl/ca.pem" is a path: read the file'],
		["./ca", '"./ca" is a path: read the file'],
		["..\\ca", "is a path: read the file"],
		["~/certs/ca", "is a path: read the file"],
		["C:\\certs\\ca", "is a path: read the file"],
		["file:///etc/ca", "is a path: read the file"],
		["certs/server.crt", '"certs/server.crt" is a path: read the file'],
		["ca", "holds no certificate in PEM; give the content of the file"],
		["", "is empty"],
		[" \n", "is empty"],
		[key, "holds a PRIVATE KEY, but no certificate"],
		[
			certificate.replace(/-----END[\s\S]*/, ""),
			"is cut off: -----END CERTIFICATE----- is missing",
		],
	])("%j is refused, and the error says what it is", (value, words) => {
		expect(refusal("certificate", value)).toContain(`tls.x: `);
		expect(refusal("certificate", value)).toContain(words);
	});

	test("DER is refused, and the error says how to convert it to PEM", () => {
		const der = Buffer.from(certificate.replace(/-----.*-----/g, ""), "base64");
		expect(refusal("certificate", der)).toContain(
			"is binary (DER or PKCS #12)",
		);
	});

	test("a value that is neither text nor bytes is refused by its type", () => {
		expect(refusal("certificate", new URL("file:///ca.pem"))).toContain(
			"an object of class URL is not PEM text or bytes",
		);
	});

	test("no error shows what may be a private key", () => {
		for (const value of [
			secret,
			`/${secret}`.repeat(4),
			key.replace("-----END", ""),
			key.replaceAll("\n", "\\n").replace("BEGIN", "BEGN"),
			key.replace(/-----.*-----/g, ""),
		]) {
			expect(refusal("private key", value)).not.toBe("");
			expect(refusal("private key", value)).not.toContain(secret.slice(0, 12));
		}
	});

	test("a list must not be empty, and each item is checked", () => {
		const check = pems("certificate");
		expect(check([certificate, Buffer.from(certificate)], "ca")).toHaveLength(
			2,
		);
		expect(() => check([], "ca")).toThrow("ca: is an empty list");
		expect(() => check([certificate, "ca.pem"], "ca")).toThrow(
			'ca[1]: "ca.pem" is a path',
		);
	});

	test("pemBlocks returns the blocks in order, without the text between them", () => {
		const { certificate: other } = makeIdentity({ commonName: "other" });
		expect(
			pemBlocks(`x\n${certificate}${key}y\n${other}`, "certificate"),
		).toEqual([certificate.trim(), other.trim()]);
	});
});
