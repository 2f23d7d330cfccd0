import { expect, test } from "vitest";
import { parsePeriod } from "./period.ts";

test("a period is a duration that is more than 0", () => {
	expect(parsePeriod("0.5s", "interval")).toBe(500);
	expect(parsePeriod(0.001, "interval")).toBe(0.001);
});

test.each([0, "0s", "0.000s"])(
	"%j is refused, as it is not more than 0",
	(value) => {
		expect(() => parsePeriod(value, "interval")).toThrow(
			/^interval: .* is not more than 0$/,
		);
	},
);

test("a value that is not a duration is refused as such", () => {
	expect(() => parsePeriod("1m", "interval")).toThrow(
		/^interval: "1m" is not a duration/,
	);
});
