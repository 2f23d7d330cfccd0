import { expect, test } from "vitest";
import { onlyDefined } from "./only-defined.ts";

test("keys whose value is undefined are left out; other falsy values are kept", () => {
	const object = onlyDefined({ a: undefined, b: 0, c: "", d: null, e: false });
	expect(Object.entries(object)).toEqual([
		["b", 0],
		["c", ""],
		["d", null],
		["e", false],
	]);
});
