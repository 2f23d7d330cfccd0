import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { OptionError } from "../checks/option-error.ts";
import { codeName, parseCode } from "./code.ts";

/** The names in gRPC's statuscodes.md, in the order of their numbers. */
const grpcNames = [
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
].map((name, index): [string, number] => [name, index + 1]);

test.each(grpcNames)("%s is %d in any spelling", (name, number) => {
	expect(parseCode(name, "codes")).toBe(number);
	expect(parseCode(name.toLowerCase(), "codes")).toBe(number);
	expect(parseCode(number, "codes")).toBe(number);
	expect(parseCode(Code[number], "codes")).toBe(number);
});

test("CANCELED and CANCELLED name the same code", () => {
	expect(parseCode("CANCELED", "codes")).toBe(Code.Canceled);
});

test.each([
	"NO_SUCH",
	"",
	"14",
	17,
	-1,
	1.5,
	Number.NaN,
	null,
	undefined,
	{},
	"constructor",
])("%o is not a status code", (value) => {
	expect(() => parseCode(value, "codes[1]")).toThrow(OptionError);
	expect(() => parseCode(value, "codes[1]")).toThrow(
		/^codes\[1\]: .* is not a status code; write .*"UNAVAILABLE"/,
	);
});

test.each([0, "OK", "ok"])(
	"%o is refused, because a policy lists failures",
	(ok) => {
		expect(() => parseCode(ok, "codes[0]")).toThrow(
			"codes[0]: OK is not a failure; remove it from the list",
		);
	},
);

test.each(grpcNames)("%s is named as Connect names it", (_, number) => {
	const message = new ConnectError("x", number).message;
	expect(`[${codeName(number)}] x`).toBe(message);
});
