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

test.each(["deadline", "x", "ca", ""])("%j is near to nothing", (name) => {
	expect(nearMiss(name, keys)).toBeUndefined();
});

test("a short name does not change altogether", () => {
	expect(nearMiss("dns", ["srv", "unix"])).toBeUndefined();
});

test("the nearest of several wins", () => {
	expect(nearMiss("serviceConfi", ["serviceConfigs", "serviceConfig"])).toBe(
		"serviceConfig",
	);
});
