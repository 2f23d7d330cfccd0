import { expect, test } from "vitest";
import { OptionError, shown } from "./option-error.ts";

test("the message joins the option and the problem, and the error holds each of them", () => {
	const error = new OptionError("client.timeout", "is missing", "missing");
	expect(error).toBeInstanceOf(TypeError);
	expect(error.message).toBe("client.timeout: is missing");
	expect(error).toMatchObject({
		name: "OptionError",
		option: "client.timeout",
		problem: "is missing",
		kind: "missing",
	});
});

test("the message is only the problem when the option's path is empty", () => {
	expect(new OptionError("", "is not an object").message).toBe(
		"is not an object",
	);
});

test.each([
	["text", '"text"'],
	["two\nlines", '"two\\nlines"'],
	[7, "7"],
	[Number.NaN, "NaN"],
	[7n, "7n"],
	[undefined, "undefined"],
	[null, "null"],
	[Symbol("s"), "Symbol(s)"],
	[() => {}, "a function"],
	[[], "an empty list"],
	[[1], "a list"],
	[{}, "an object"],
	[Object.create(null), "an object"],
	[new Map(), "an object of class Map"],
])("%o is shown as %s", (value, text) => {
	expect(shown(value)).toBe(text);
});

test("a long value is shortened", () => {
	expect(shown("x".repeat(1000))).toHaveLength(78);
});
