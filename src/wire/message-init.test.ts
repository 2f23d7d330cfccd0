import { create } from "@bufbuild/protobuf";
import { EmptySchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { messageOfInit } from "./message-init.ts";

test("a message is kept, fields become a message, and undefined becomes an empty one", () => {
	const message = create(StringValueSchema, { value: "x" });
	expect(messageOfInit(StringValueSchema, message)).toBe(message);
	expect(messageOfInit(StringValueSchema, { value: "x" })).toEqual(message);
	expect(messageOfInit(StringValueSchema, undefined).value).toBe("");
});

test.each<[unknown, string]>([
	["x", '"x" is neither a message nor its fields'],
	[42, "42 is neither a message nor its fields"],
	[null, "null is neither a message nor its fields"],
	[[{ value: "x" }], "a list is neither a message nor its fields"],
	[() => {}, "a function is neither a message nor its fields"],
	[create(EmptySchema), "it is a google.protobuf.Empty"],
	[{ value: 5 }, "value: 5 is not a string"],
	[
		{ valeu: "x" },
		"valeu: is not a field of google.protobuf.StringValue; did you mean value?",
	],
])("%j is refused rather than taken for an empty message", (init, problem) => {
	expect(() => messageOfInit(StringValueSchema, init as object)).toThrow(
		new TypeError(problem),
	);
});
