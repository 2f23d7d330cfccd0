import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { frameMessage } from "./message-writer.ts";

test("a message is preceded by a flag and its length", () => {
	const frame = frameMessage(Uint8Array.of(1, 2, 3), undefined);
	expect([...frame]).toEqual([0, 0, 0, 0, 3, 1, 2, 3]);
});

test("an empty message is a prefix", () => {
	expect([...frameMessage(new Uint8Array(), "gzip")]).toEqual([0, 0, 0, 0, 0]);
});

test("the length has all four bytes, the greatest first", () => {
	const frame = frameMessage(new Uint8Array(0x01020304), undefined);
	expect([...frame.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4]);
	expect(frame).toHaveLength(0x01020304 + 5);
});

test("a message of 1 KiB is compressed where that was agreed, a smaller one is not", () => {
	const large = frameMessage(new Uint8Array(1024), "gzip");
	expect(large[0]).toBe(1);
	expect(Buffer.from(large).readUInt32BE(1)).toBe(large.length - 5);
	expect(large.length).toBeLessThan(100);
	expect(gunzipSync(large.subarray(5))).toEqual(Buffer.alloc(1024));

	const small = frameMessage(new Uint8Array(1023), "gzip");
	expect(small[0]).toBe(0);
	expect(small).toHaveLength(1028);
});

test("nothing is compressed where nothing was agreed", () => {
	const frame = frameMessage(new Uint8Array(1 << 20), undefined);
	expect(frame[0]).toBe(0);
	expect(frame).toHaveLength((1 << 20) + 5);
});
