import { createPrivateKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
	makeIdentity,
	makeRevocationList,
} from "../../testdata/peers/node/certificates.ts";
import {
	checkPairs,
	checkPassphrase,
	type TlsCredentials,
} from "./credentials.ts";
import { cachedSecureContext, secureContext } from "./secure-context.ts";

const one = makeIdentity({ commonName: "one" });
const other = makeIdentity({ commonName: "other" });
const broken = (label: string): string =>
	`-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;
const passphrase = "open sesame";
const encrypted = ["pkcs8", "sec1"].map((type) =>
	String(
		createPrivateKey(one.key).export({
			type: type as "pkcs8",
			format: "pem",
			cipher: "aes-256-cbc",
			passphrase,
		}),
	),
);

function read(credentials: TlsCredentials): unknown {
	checkPairs(credentials, "tls");
	checkPassphrase(credentials, "tls");
	return secureContext(credentials, "tls");
}

describe("credentials", () => {
	const cert = one.certificate;

	test.each<[string, TlsCredentials, RegExp]>([
		[
			"an authority that cannot be read",
			{ ca: broken("CERTIFICATE") },
			/^tls\.ca: its certificate cannot be read: wrong tag/,
		],
		[
			"an unreadable authority among good ones, which Node itself ignores silently",
			{ ca: [cert, cert + broken("CERTIFICATE") + cert] },
			/^tls\.ca\[1\]: certificate 2 of 3 cannot be read/,
		],
		[
			"a certificate that cannot be read",
			{ cert: broken("CERTIFICATE"), key: one.key },
			/^tls\.cert: its certificate cannot be read/,
		],
		[
			"a key that cannot be read",
			{ cert, key: broken("PRIVATE KEY") },
			/^tls\.key: cannot be read as a private key/,
		],
		[
			"a key of another certificate",
			{ cert, key: other.key },
			/^tls\.key: does not belong to the first certificate of tls\.cert/,
		],
		["a certificate without a key", { cert }, /^tls\.key: is missing beside/],
		["a key without a certificate", { key: one.key }, /^tls\.cert: is missing/],
		[
			"a passphrase without a key",
			{ ca: cert, passphrase },
			/^tls\.passphrase: is given without a key to decrypt; tls\.key is missing/,
		],
		[
			"a list of revoked certificates that cannot be read",
			{ crl: broken("X509 CRL") },
			/^tls\.crl: cannot be used/,
		],
	])(
		"with %s are refused, and the error names the option",
		(_, credentials, words) => {
			expect(() => read(credentials)).toThrow(words);
		},
	);

	test.each(encrypted)("decrypt an encrypted key: %#", (key) => {
		expect(read({ cert, key, passphrase })).toBeDefined();
		expect(() => read({ cert, key })).toThrow(
			"tls.passphrase: is missing, and tls.key is encrypted",
		);
		expect(() => read({ cert, key, passphrase: "wrong" })).toThrow(
			"tls.passphrase: does not open tls.key",
		);
	});

	test("give the same context again while they stay equal", () => {
		const contextOf = cachedSecureContext();
		const crl = makeRevocationList(one, []);
		const bytes = (): TlsCredentials => ({
			ca: [Buffer.from(cert), other.certificate],
			cert: Buffer.from(cert),
			key: one.key,
			crl,
		});
		const first = contextOf(bytes(), "tls()");
		expect(contextOf(bytes(), "tls()")).toBe(first);
		for (const change of [
			{ ca: cert },
			{ cert: other.certificate, key: other.key },
			{ minVersion: "TLSv1.3" },
			{ passphrase: "x" },
			{ crl: [crl, crl] },
		] as TlsCredentials[]) {
			expect(contextOf({ ...bytes(), ...change }, "tls()")).not.toBe(first);
			contextOf(bytes(), "tls()");
		}
	});

	test("without `ca` give a new context each time, as a program may change the platform's authorities", () => {
		const contextOf = cachedSecureContext();
		expect(contextOf({}, "tls()")).not.toBe(contextOf({}, "tls()"));
	});
});
