import { describe, expect, it } from "vitest";
import { literal } from "./literal.ts";

describe("literal", () => {
	it.for([
		"plain",
		"\"'`$\u007bprocess.exit()}*/ // \\",
		"\n\r\t\u2028\u2029\u0000",
		0.1,
		-1e21,
		true,
		null,
		[],
		{},
		[[1, [2]], { a: { b: [{ c: "d" }] } }],
		{ "not an identifier": 1, "": 2, "0": 3, class: 4, "a-b": 5 },
		JSON.parse('{ "__proto__": { "polluted": true } }'),
		{ long: Array.from({ length: 40 }, (_, index) => ({ index })) },
	])("evaluates to the value that it was made from: %j", (value) => {
		const evaluated = new Function(`return ${literal(value)};`)();
		expect(JSON.stringify(evaluated)).toBe(JSON.stringify(value));
		expect(Object.keys(evaluated ?? {})).toEqual(Object.keys(value ?? {}));
	});

	it("escapes line separators, which older parsers take for the end of a line", () => {
		expect(literal("\u2028\u2029")).toBe('"\\u2028\\u2029"');
	});

	it("is on one line if it fits, and otherwise has a line for each member", () => {
		expect(literal({ a: [1, 2], b: "c" })).toBe('{ a: [1, 2], b: "c" }');
		const long = "x".repeat(70);
		expect(literal({ a: [1, 2], b: long })).toBe(
			`{\n  a: [1, 2],\n  b: "${long}",\n}`,
		);
	});
});
