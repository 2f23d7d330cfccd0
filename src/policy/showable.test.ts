import { expect, test } from "vitest";
import { showable } from "./showable.ts";

test("a value that can be converted to a string is returned as it is", () => {
	const object = { toString: () => "text" };
	const error = new Error("text");
	for (const thrown of [
		error,
		object,
		"text",
		Symbol("text"),
		null,
		undefined,
		5n,
	]) {
		expect(showable(thrown)).toBe(thrown);
	}
});

test("an object that cannot be converted becomes an Error with the object as its cause", () => {
	const throwing = {
		toString(): string {
			throw new Error("no text");
		},
	};
	for (const thrown of [Object.create(null), throwing]) {
		expect(String(showable(thrown))).toBe(
			"Error: an object was thrown that has no text",
		);
		expect((showable(thrown) as Error).cause).toBe(thrown);
	}
});
