import { expect, test } from "vitest";
import { Lines } from "./lines.ts";

const lines = (maxBytes = 100) =>
	new Lines(maxBytes, () => new Error("too long"));

test("lines are complete, however the bytes are split", () => {
	const text = Buffer.from("é1\n\nzwei\n3");
	for (let cut = 0; cut <= text.length; cut++) {
		const read = lines();
		const seen = [text.subarray(0, cut), text.subarray(cut)].flatMap(
			(chunk) => [...read.add(chunk)],
		);
		expect([...seen, read.rest()]).toEqual(["é1", "", "zwei", "3"]);
	}
});

test("the size limit applies to a line, not to a chunk of several lines", () => {
	const read = lines(3);
	expect([...read.add(Buffer.from("abc\nabc\nab"))]).toEqual(["abc", "abc"]);
	expect([...read.add(Buffer.from("c"))]).toEqual([]);
	expect(() => [...read.add(Buffer.from("d"))]).toThrow("too long");
});
