import { expect, test } from "vitest";
import { nearMiss } from "./near-miss.ts";

const keys = ["timeout", "retryPolicy", "tls", "hooks"];

test.each([
	["timeOut", "timeout"],
	["retry_policy", "retryPolicy"],
	["timeot", "timeout"],
	["timeuot", "timeout"],
	["retryPolicyy", "retryPolicy"],
	["tsl", "tls"],
	["hook", "hooks"],
])("%s is a near miss for %s", (name, meant) => {
	expect(nearMiss(name, keys)).toBe(meant);
});

test.each(["deadline", "x", "ca", ""])(
	"%j is not a near miss for any candidate",
	(name) => {
		expect(nearMiss(name, keys)).toBeUndefined();
	},
);

test("a short name of which every letter differs is not a near miss", () => {
	expect(nearMiss("dns", ["srv", "unix"])).toBeUndefined();
});

test("the nearest of several wins", () => {
	expect(nearMiss("serviceConfi", ["serviceConfigs", "serviceConfig"])).toBe(
		"serviceConfig",
	);
});
