import { expect, test } from "vitest";
import { murmur3 } from "./murmur3.ts";

// Of the reference implementation.
test.each([
	["", 0, 0],
	["", 1, 0x514e28b7],
	["", 0xffffffff, 0x81f16f39],
	["test", 0, 0xba6bd213],
	["test", 0x9747b28c, 0x704b81dc],
	["Hello, world!", 0, 0xc0363e43],
	["Hello, world!", 0x9747b28c, 0x24884cba],
	["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
	["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
	["a", 0x9747b28c, 0x7fa09ea6],
	["aa", 0x9747b28c, 0x5d211726],
	["aaa", 0x9747b28c, 0x283e0130],
	["aaaa", 0x9747b28c, 0x5a97808a],
	["ππππππππ", 0x9747b28c, 0xd58063c1],
])("of %j with seed %d", (text, seed, hash) => {
	expect(murmur3(text, seed)).toBe(hash);
});

test("of texts longer than any before, and then of short ones", () => {
	const long = "ü".repeat(10_000);
	expect(murmur3(long)).toBe(murmur3(long));
	expect(murmur3(`${long}x`)).not.toBe(murmur3(long));
	expect(murmur3("test")).toBe(0xba6bd213);
});

test("hashes of similar texts are spread evenly", () => {
	const buckets = new Uint32Array(64);
	for (let i = 0; i < 64_000; i++) {
		const bucket = murmur3(`10.0.0.1:50051_${i}`) >>> 26;
		buckets[bucket] = (buckets[bucket] as number) + 1;
	}
	expect(Math.min(...buckets)).toBeGreaterThan(850);
	expect(Math.max(...buckets)).toBeLessThan(1150);
});
