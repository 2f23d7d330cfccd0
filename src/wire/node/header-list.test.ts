import { expect, test } from "vitest";
import { toHeaderList, toHeaderObject } from "./header-list.ts";

test("repeated names become a list, in order", () => {
	const object = toHeaderObject(["a", "1", "b", "2", "a", "3", "a", "4"]);
	expect({ ...object }).toEqual({ a: ["1", "3", "4"], b: "2" });
});

test("a name such as __proto__ is not special", () => {
	const object = toHeaderObject(["__proto__", "1", "constructor", "2"]);
	expect(Object.getPrototypeOf(object)).toBeNull();
	expect(Object.entries(object)).toEqual([
		["__proto__", "1"],
		["constructor", "2"],
	]);
});

test("headers are in the form that this version of Node accepts", () => {
	const headers = [":status", "200", "a", "1", "a", "2"];
	const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
	const takesArrays = major > 24 || (major === 24 && minor >= 7);
	const expected = takesArrays ? headers : toHeaderObject(headers);
	expect(toHeaderList(headers)).toEqual(expected);
});
