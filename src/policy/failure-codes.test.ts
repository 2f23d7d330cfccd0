import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { parseFailureCodes } from "./failure-codes.ts";

test("codes are named as gRPC or Connect names them, or by their numbers", () => {
	expect(parseFailureCodes(["UNAVAILABLE", "unknown", 13], "o")).toEqual(
		new Set([Code.Unavailable, Code.Unknown, Code.Internal]),
	);
});

test.each([
	[[], 'o: is empty; name at least one code, as in ["UNAVAILABLE"]'],
	[
		["UNAVAILABLE", "CANCELLED"],
		"o: CANCELLED is never a failure of the server: the caller cancelled the call; remove it from the list",
	],
	["UNKNOWN", 'o: "UNKNOWN" is not a list'],
	[
		["UNAVALABLE"],
		'o[0]: "UNAVALABLE" is not a status code; write a gRPC code\'s name ("UNAVAILABLE") or its number (1 to 16)',
	],
])("%j is refused", (value, message) => {
	expect(() => parseFailureCodes(value, "o")).toThrow(message);
});
