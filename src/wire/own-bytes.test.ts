import { expect, test } from "vitest";
import { ownBytes } from "./own-bytes.ts";

test("keeps nothing of a large chunk that a small message came in", () => {
	const chunk = new Uint8Array(64 * 1024).fill(7);
	const own = ownBytes(chunk.subarray(100, 110));
	expect([...own]).toEqual(Array(10).fill(7));
	expect(own.buffer.byteLength).toBeLessThan(1000);
});

test("copies no message that takes most of its chunk", () => {
	const chunk = new Uint8Array(1000);
	const message = chunk.subarray(5);
	expect(ownBytes(message)).toBe(message);
});
