import { readFileSync } from "node:fs";
import { expect, describe as suite, test } from "vitest";
import { describe, faultTable } from "./report.ts";
import { faults, run } from "./runs.ts";

suite("with default options and an idempotent unary method, no more calls fail than allowed", () => {
	test.each(faults)(
		"$title",
		async (fault) => {
			const done = await run(fault);
			expect(done.excess, describe(done)).toBe(0);
			expect(done.toll.calls).toBeGreaterThan(1000);
			expect(faultTable([done])).toContain(fault.title);
		},
		60_000,
	);
});

test.each(faults)("docs/faults.md contains: $title", ({ title, price }) => {
	const page = readFileSync(
		new URL("../docs/faults.md", import.meta.url),
		"utf8",
	);
	const rows = page.split("\n").map((line) => line.split(/ *\| */).slice(1, 3));
	expect(rows).toContainEqual([title, price]);
});
