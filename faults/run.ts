/** `npm run faults`: runs all faults and writes the results to docs/faults.md. Fails if a fault costs more calls than it may. */

import { readFileSync, writeFileSync } from "node:fs";
import { describe, faultTable } from "./report.ts";
import { type FaultRun, faults, run } from "./runs.ts";

const PAGE = new URL("../docs/faults.md", import.meta.url);

const runs: FaultRun[] = [];
for (const fault of faults) {
	const done = await run(fault);
	console.log(describe(done));
	runs.push(done);
}
const page = readFileSync(PAGE, "utf8");
writeFileSync(
	PAGE,
	page.replace(
		/(?<=<!-- runs -->\n)[\s\S]*(?=<!-- \/runs -->)/,
		`\n${faultTable(runs)}\n`,
	),
);
if (runs.some(({ excess }) => excess > 0)) process.exitCode = 1;
