import { expect, test } from "vitest";
import { parsePeriod } from "./period.ts";

test("a period is a duration that is more than 0", () => {
	expect(parsePeriod("0.5s", "interval")).toBe(500);
	expect(parsePeriod(0.001, "interval")).toBe(0.001);
});

test.each([0, "0s", "0.000s"])("%j is no time at all", (value) => {
	expect(() => parsePeriod(value, "interval")).toThrow(
		/^interval: .* is no time at all$/,
	);
});

test("what is no duration is no period", () => {
	expect(() => parsePeriod("1m", "interval")).toThrow(
		/^interval: "1m" is not a duration/,
	);
});
