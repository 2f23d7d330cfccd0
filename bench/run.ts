/** `npm run bench`: compares homing with other libraries. bench/README.md describes the measurements and the options. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { judge } from "./bounds.ts";
import { bundleSize } from "./bundle-size.ts";
import { callGroups } from "./calls.ts";
import type { Effort, Finding, Group } from "./group.ts";
import { importTime } from "./import-time.ts";
import { layers } from "./layers.ts";
import { policies } from "./policies.ts";
import { reportFinding, reportVerdicts } from "./report.ts";

const THOROUGH: Effort = { rounds: 20, roundMs: 350, warmUpMs: 1800 };
const QUICK: Effort = { rounds: 4, roundMs: 150, warmUpMs: 600 };

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		quick: { type: "boolean", default: false },
		check: { type: "boolean", default: false },
		against: { type: "string" },
	},
});

const groups: readonly Group[] = [
	...callGroups,
	policies,
	layers(values.against),
	{ name: "balancers", run: () => runProgram("balancers.ts") },
	{ name: "large", run: () => runProgram("large-services.ts") },
	{ name: "discovery", run: () => runProgram("discovery.ts") },
	importTime,
	bundleSize,
	{ name: "generation", run: () => runProgram("generation.ts") },
];

const effort = values.quick ? QUICK : THOROUGH;
const findings: Finding[] = [];

const [load = 0] = loadavg();
console.log(
	`Node ${process.versions.node}, ${availableParallelism()} processors, load ${load.toFixed(1)}: medians of ${effort.rounds} rounds, and their quartiles`,
);
console.log(
	load > availableParallelism() / 2
		? "This machine is busy with something else, so expect wide spreads.\n"
		: "",
);
for (const group of chosen(positionals)) {
	for (const finding of await group.run(effort)) {
		findings.push(finding);
		console.log(`${reportFinding(finding)}\n`);
	}
}
const verdicts = judge(findings);
if (verdicts.length > 0) console.log(reportVerdicts(verdicts));
if (values.check && verdicts.some(({ ok }) => !ok)) process.exitCode = 1;

/** Runs a benchmark that prints its results itself. */
async function runProgram(name: string): Promise<[]> {
	const file = fileURLToPath(new URL(name, import.meta.url));
	const options = values.check ? ["--check"] : [];
	const child = spawn(process.execPath, [file, ...options], {
		stdio: "inherit",
	});
	const [code] = await once(child, "exit");
	if (code !== 0) {
		console.error(`${name} exited with code ${code}`);
		process.exitCode = 1;
	}
	return [];
}

/** The groups whose names begin with one of the given names. All groups, if no name is given. */
function chosen(names: readonly string[]): readonly Group[] {
	for (const name of names) {
		if (!groups.some((group) => group.name.startsWith(name))) {
			console.error(
				`no group begins with "${name}"; the groups are ${groups.map((group) => group.name).join(", ")}`,
			);
			process.exit(2);
		}
	}
	return names.length === 0
		? groups
		: groups.filter((group) =>
				names.some((name) => group.name.startsWith(name)),
			);
}
