import { expect, test } from "vitest";
import { onlyDefined } from "./only-defined.ts";

test("a key without a value is not there; other empty values are", () => {
	const object = onlyDefined({ a: undefined, b: 0, c: "", d: null, e: false });
	expect(Object.entries(object)).toEqual([
		["b", 0],
		["c", ""],
		["d", null],
		["e", false],
	]);
});
