import { expect, test } from "vitest";
import { deflatesLater, isCompressed } from "./message-compression.ts";

const KIB = 1024;

test.each([
	[KIB - 1, "gzip", false],
	[KIB, "gzip", true],
	[KIB, undefined, false],
	[1 << 20, undefined, false],
] as const)(
	"a message of %d bytes, with %s agreed: compressed %s",
	(bytes, encoding, is) => {
		expect(isCompressed(new Uint8Array(bytes), encoding)).toBe(is);
	},
);

test.each([
	[64 * KIB, "gzip", false],
	[64 * KIB + 1, "gzip", true],
	[64 * KIB + 1, undefined, false],
] as const)(
	"a message of %d bytes, with %s agreed: on another thread %s",
	(bytes, encoding, is) => {
		expect(deflatesLater(new Uint8Array(bytes), encoding)).toBe(is);
	},
);
