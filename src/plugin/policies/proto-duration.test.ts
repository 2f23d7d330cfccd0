import { expect, test } from "vitest";
import { durationProblem } from "./proto-duration.ts";

test.each([
	["500ms", "0.5s"],
	["500 milliseconds", "0.5s"],
	["250 millis", "0.25s"],
	["2 seconds", "2s"],
	["2sec", "2s"],
	["2 s", "2s"],
	["2S", "2s"],
	[".5s", "0.5s"],
	["5m", "300s"],
	["5 min", "300s"],
	["1 minute", "60s"],
	["1h", "3600s"],
	["2 hours", "7200s"],
])("%j probably means %j", (value, meant) => {
	expect(durationProblem(value)).toBe(
		`"${value}" is not a duration; write seconds as text, with at most 9 decimals, as in "2s" or "0.5s"; did you mean "${meant}"?`,
	);
});

test.each(["soon", "", "2", "-2s", "1h30m", "2 fortnights"])(
	"no meaning is suggested for %j",
	(value) => {
		expect(durationProblem(value)).toMatch(
			/ is not a duration; write seconds as text.* as in "2s" or "0\.5s"$/,
		);
	},
);
