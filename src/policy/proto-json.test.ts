import { expect, test } from "vitest";
import { OptionError } from "../checks/option-error.ts";
import { JsonFields, parseDouble, parseUint32 } from "./proto-json.ts";

const asIs = (value: unknown): unknown => value;

test("a field is found by its JSON name in either spelling", () => {
	const fields = new JsonFields({ maxAttempts: 3, initial_backoff: "1s" }, "p");
	expect(fields.required("maxAttempts", asIs)).toBe(3);
	expect(fields.required("initialBackoff", asIs)).toBe("1s");
});

test("a field that is null counts as absent", () => {
	const fields = new JsonFields({ timeout: null, other: undefined }, "p");
	expect(fields.has("timeout")).toBe(false);
	expect(fields.optional("timeout", asIs)).toBeUndefined();
	expect(() => fields.required("timeout", asIs)).toThrow(
		"p.timeout: is missing",
	);
});

test("a field that is given in both spellings is an error", () => {
	expect(
		() => new JsonFields({ maxAttempts: 3, max_attempts: 3 }, "p"),
	).toThrow("p.maxAttempts: is given twice");
});

test.each([null, 7, "x", [], undefined])(
	"%o is refused, as it is not an object",
	(value) => {
		expect(() => new JsonFields(value, "p")).toThrow(/^p: .* is not an object/);
	},
);

test.each([
	[0, 0],
	[4_294_967_295, 4_294_967_295],
	["42", 42],
	["1e3", 1000],
	["4.0", 4],
])("%j is the uint32 %d", (value, number) => {
	expect(parseUint32(value, "n")).toBe(number);
});

test.each([
	-1,
	1.5,
	4_294_967_296,
	"x",
	"",
	" 1",
	"0x10",
	true,
	null,
	Infinity,
])("%o is not a uint32", (value) => {
	expect(() => parseUint32(value, "n")).toThrow(OptionError);
});

test.each([
	[1.6, 1.6],
	["1.6", 1.6],
	["-2e-3", -0.002],
])("%j is the double %d", (value, number) => {
	expect(parseDouble(value, "n")).toBe(number);
});

test.each([
	Number.NaN,
	Infinity,
	"NaN",
	"Infinity",
	"1e999",
	"",
	"a",
	[],
	null,
])("%o is not a double", (value) => {
	expect(() => parseDouble(value, "n")).toThrow(/^n: .* is not a number/);
});
