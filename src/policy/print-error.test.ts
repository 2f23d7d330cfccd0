import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { printError, printMistake } from "./print-error.ts";

let now = 0;
const printed: unknown[][] = [];
beforeEach(() => {
	printed.length = 0;
	now += 1e6;
	vi.spyOn(performance, "now").mockImplementation(() => now);
	vi.spyOn(console, "error").mockImplementation((...args) => {
		printed.push(args);
	});
});
afterEach(() => {
	vi.restoreAllMocks();
});

test("the error object itself is printed, so that the console shows its stack", () => {
	const error = new Error("mine");
	printError("Echo/Echo failed:", error);
	expect(printed).toEqual([["homing: Echo/Echo failed:", error]]);
});

test("an error that throws when it is formatted is printed without its content", () => {
	vi.spyOn(console, "error").mockImplementation((...args) => {
		if (args.length > 1) throw new Error("do not look at me");
		printed.push(args);
	});
	printError("Echo/Echo failed:", {});
	expect(printed).toEqual([
		["homing: Echo/Echo failed: (an error that cannot be shown)"],
	]);
});

test("a callback that throws repeatedly is printed once a second, with the number of errors in between", () => {
	for (let n = 0; n < 1000; n++) {
		printMistake("the hook oneThatThrows", n);
		printMistake("the hook another", n);
		now += 3;
	}
	const ends = printed.filter(([text]) =>
		String(text).includes("oneThatThrows"),
	);
	expect(ends).toEqual([
		["homing: the hook oneThatThrows threw, and no call is changed by it:", 0],
		[
			"homing: the hook oneThatThrows threw, and no call is changed by it (and 333 times before, which were not printed):",
			334,
		],
		[expect.stringContaining("333 times before"), 668],
	]);
	expect(printed.length).toBe(2 * ends.length);
});
