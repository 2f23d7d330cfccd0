import { expect, test } from "vitest";
import { frameOf, onlyMessageOf, writeFrame } from "./message-frame.ts";

test("a message is prefixed with its flag and its length", () => {
	const frame = frameOf(Uint8Array.of(1, 2, 3), false);
	expect([...frame]).toEqual([0, 0, 0, 0, 3, 1, 2, 3]);
});

test("an empty message is its prefix", () => {
	expect([...frameOf(new Uint8Array(), false)]).toEqual([0, 0, 0, 0, 0]);
});

test("the length is written in full, most significant byte first", () => {
	const frame = frameOf(new Uint8Array(0x01020304), false);
	expect([...frame.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4]);
});

test("a compressed message is flagged", () => {
	expect([...frameOf(Uint8Array.of(9), true)]).toEqual([1, 0, 0, 0, 1, 9]);
});

test("messages are written one behind the other", () => {
	const onto = new Uint8Array(13);
	const next = writeFrame(onto, 0, Uint8Array.of(1, 2), false);
	expect(writeFrame(onto, next, Uint8Array.of(3), true)).toBe(13);
	expect([...onto]).toEqual([0, 0, 0, 0, 2, 1, 2, 1, 0, 0, 0, 1, 3]);
});

test("a chunk of one message and nothing else is that message, in the memory of the chunk", () => {
	const chunk = Buffer.from("\0\0\0\0\x02hi");
	const message = onlyMessageOf(chunk, 2);
	expect(message).toEqual(Uint8Array.from([0x68, 0x69]));
	expect(message?.buffer).toBe(chunk.buffer);
	expect(onlyMessageOf(Buffer.alloc(5), 0)).toEqual(new Uint8Array());
});

test.each([
	["", "an empty one"],
	["\0\0\0\0", "a part of a prefix"],
	["\0\0\0\0\x03hi", "a part of a message"],
	["\0\0\0\0\x01hi", "a message and more"],
	["\x01\0\0\0\x02hi", "a compressed message"],
	["\x02\0\0\0\x02hi", "a message with other flags"],
	["\0\x01\0\0\x02hi", "the beginning of a long message"],
	["\0\x80\0\0\x02hi", "the beginning of a message longer than 2 GiB"],
	["\0\0\0\0\x04long", "a message longer than the limit"],
])("a chunk %j is for the reader: it is %s", (chunk) => {
	expect(onlyMessageOf(Buffer.from(chunk, "latin1"), 3)).toBeUndefined();
});
