import { expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { tooOld } from "./oldest-node.ts";

test("a Node version older than `engines` in package.json gives an error message of one sentence", () => {
	expect(packageJson.engines.node).toBe(">=22.12.0");
	for (const version of ["18.20.8", "20.20.2", "21.7.3", "22.0.0", "22.11.9"]) {
		expect(tooOld(version)).toBe(
			`homing needs Node 22.12 or newer; this is v${version}`,
		);
	}
	for (const version of [
		"22.12.0",
		"22.23.3",
		"23.0.0",
		"24.21.0",
		"100.0.0",
	]) {
		expect(tooOld(version)).toBeUndefined();
	}
});

test("there is no error message where the program does not run on Node", () => {
	expect(tooOld(undefined)).toBeUndefined();
});
