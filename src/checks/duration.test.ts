import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";
import { OptionError } from "./option-error.ts";

test.each([
	[0, 0],
	[250, 250],
	[0.25, 0.25],
	["0s", 0],
	["2s", 2000],
	["0.5s", 500],
	["0.100s", 100],
	["1.1s", 1100],
	["4.35s", 4350],
	["1.5s", 1500],
	["0.000000001s", 0.000001],
	["1.000340012s", 1000.340012],
	["315576000000s", 315_576_000_000_000],
])("%j is %d ms", (value, ms) => {
	expect(parseDuration(value, "timeout")).toBe(ms);
});

test.each([
	-1,
	Number.NaN,
	Infinity,
	"2",
	"2ms",
	"2 s",
	" 2s",
	"2S",
	"-2s",
	"+2s",
	"1e3s",
	".5s",
	"1.s",
	"1.0000000001s",
	"315576000001s",
	"٢s",
	"",
	"s",
	null,
	undefined,
	true,
	2n,
	{ seconds: 2 },
])(
	"%o is not a duration, and the error names the option and says what to write",
	(value) => {
		expect(() => parseDuration(value, "client.timeout")).toThrow(OptionError);
		expect(() => parseDuration(value, "client.timeout")).toThrow(
			/^client\.timeout: .* is not a duration; write milliseconds .* "1\.5s"/,
		);
	},
);

test("the error shows the value that was refused", () => {
	expect(() => parseDuration("2ms", "t")).toThrow('"2ms"');
});

test.each([
	[0, "0 ms"],
	[0.5, "0.5 ms"],
	[150, "150 ms"],
	[999, "999 ms"],
	[999.9999, "1 s"],
	[1000, "1 s"],
	[1500, "1.5 s"],
	[2000, "2 s"],
	[1234.5678, "1.235 s"],
	[90_000, "90 s"],
	[-20, "-20 ms"],
])("%d ms is formatted as %s", (ms, text) => {
	expect(formatDuration(ms)).toBe(text);
});
