/** `npm run simulate`: simulates all scenarios, or the named ones. If it runs all of them, it writes docs/simulation.md. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { withResults } from "./page.ts";
import { plot } from "./plot.ts";
import { quick } from "./quick.ts";
import { type Results, results } from "./runs.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";
import { overview, section } from "./table.ts";

const docs = fileURLToPath(new URL("../docs/", import.meta.url));

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		/** Simulates smaller scenarios, and writes nothing. */
		quick: { type: "boolean", default: false },
		seed: { type: "string", default: "1" },
	},
});

const chosen = chosenBy(positionals);
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed))
	stop(`--seed ${values.seed} is not a whole number`);
const writes = !values.quick && chosen.length === scenarios.length;

const all: Results[] = [];
const sections: string[] = [];
const plots = new Map<string, string>();
for (const scenario of chosen) {
	const found = await results(values.quick ? quick(scenario) : scenario, seed);
	all.push(found);
	const file = `simulation/${scenario.name}.svg`;
	plots.set(file, plot(found));
	const text = section(found, writes ? file : undefined);
	sections.push(text);
	console.log(`${text}\n`);
}
const worth = overview(all);
console.log(worth);
if (writes) {
	mkdirSync(`${docs}simulation`, { recursive: true });
	for (const [file, svg] of plots) writeFileSync(docs + file, svg);
	const page = `${docs}simulation.md`;
	writeFileSync(
		page,
		withResults(readFileSync(page, "utf8"), [worth, ...sections].join("\n\n")),
	);
}

function chosenBy(names: readonly string[]): readonly Scenario[] {
	const known = scenarios.map(({ name }) => name);
	const unknown = names.find((name) => !known.includes(name));
	if (unknown !== undefined) {
		stop(
			`there is no scenario "${unknown}"; the scenarios are ${known.join(", ")}`,
		);
	}
	return names.length === 0
		? scenarios
		: scenarios.filter(({ name }) => names.includes(name));
}

function stop(message: string): never {
	console.error(message);
	process.exit(2);
}
