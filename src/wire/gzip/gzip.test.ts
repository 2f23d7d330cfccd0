import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
	AT_ONCE_BYTES,
	compress,
	InflatesTooLarge,
	inflateAtOnce,
	inflatedSize,
} from "./gzip.ts";
import { inflate } from "./gzip-work.ts";
import { Turns } from "./turns.ts";

const ways = [
	["inflate", inflated],
	[
		"inflateAtOnce",
		async (bytes, maxBytes) =>
			inflateAtOnce(bytes, maxBytes) ?? inflated(bytes, maxBytes),
	],
] satisfies [string, typeof inflated][];

function inflated(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
	const turns = new Turns({ maxCount: 1, maxBytes: 1 });
	return new Promise((resolve, reject) => {
		inflate(turns, bytes, maxBytes, { done: resolve, failed: reject });
	}).finally(() =>
		expect(turns.counts).toEqual({ underWay: 0, bytes: 0, waiting: 0 }),
	) as Promise<Uint8Array>;
}

describe.each(ways)("%s", (_name, read) => {
	test("returns what was compressed", async () => {
		const message = Buffer.from("homing ".repeat(1000));
		const compressed = compress(message);
		expect(compressed.length).toBeLessThan(message.length / 10);
		expect(Buffer.from(await read(compressed, 10_000))).toEqual(message);
	});

	test("inflates up to the limit, and not a byte more", async () => {
		const compressed = gzipSync(Buffer.alloc(5000));
		expect(await read(compressed, 5000)).toHaveLength(5000);
		await expect(read(compressed, 4999)).rejects.toThrow(InflatesTooLarge);
	});

	test("reads an empty message, even if the limit is 0", async () => {
		expect(await read(gzipSync(""), 10)).toHaveLength(0);
		expect(await read(gzipSync(""), 0)).toHaveLength(0);
	});

	test("reads several gzip members as one message (RFC 1952 section 2.2)", async () => {
		const two = Buffer.concat([gzipSync("one "), gzipSync("two")]);
		expect(String(await read(two, 100))).toBe("one two");
	});

	test.each([
		["no gzip at all", Buffer.from("no gzip")],
		["nothing", Buffer.alloc(0)],
		["a cut-off end", gzipSync(Buffer.alloc(100)).subarray(0, 15)],
		[
			"a wrong checksum",
			Buffer.concat([gzipSync("text").subarray(0, -8), Buffer.alloc(8, 1)]),
		],
	])("refuses %s, saying that it is malformed", async (_what, bytes) => {
		await expect(read(bytes, 1000)).rejects.toThrow("malformed gzip data: ");
	});

	test("stops a bomb at the limit", async () => {
		const bomb = gzipSync(Buffer.alloc(64 << 20));
		const before = process.memoryUsage().arrayBuffers;
		await expect(read(bomb, 1 << 20)).rejects.toThrow(InflatesTooLarge);
		const grown = process.memoryUsage().arrayBuffers - before;
		expect(grown).toBeLessThan(16 << 20);
	});
});

describe("inflateAtOnce", () => {
	test("does not inflate what becomes too large for the event loop", () => {
		const fits = gzipSync(Buffer.alloc(AT_ONCE_BYTES));
		expect(inflateAtOnce(fits, 1 << 20)).toHaveLength(AT_ONCE_BYTES);
		const larger = gzipSync(Buffer.alloc(AT_ONCE_BYTES + 1));
		expect(inflateAtOnce(larger, 1 << 20)).toBeUndefined();
		// Two members: the last says its own size.
		const two = Buffer.concat([larger, gzipSync("x")]);
		expect(inflatedSize(two)).toBeLessThan(AT_ONCE_BYTES);
		expect(inflateAtOnce(two, 1 << 20)).toBeUndefined();
	});
});
