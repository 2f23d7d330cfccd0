import { expect, describe as suite, test } from "vitest";
import { describe, faultTable } from "./report.ts";
import { faults, run } from "./runs.ts";

suite("with default options, on an idempotent unary method, it costs the callers no more than it may", () => {
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
