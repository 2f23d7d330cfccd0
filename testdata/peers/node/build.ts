/**
 * `npm run peers` builds the programs in other languages that tests need, if they are not built yet. `npm run peers NAME` builds
 * one of them. A program that cannot be built here is left out; if `CI` is set, that is an error.
 */

import { buildProgram, withoutTool } from "../../harness/built-program.ts";
import { recipes } from "./recipes.ts";

const names = process.argv.slice(2);
const wanted = recipes.filter(
	({ name }) => names.length === 0 || names.includes(name),
);

console.log(
	`Programs that the tests need: ${wanted.map(({ name }) => name).join(", ")}. What is not built yet is built now, which takes minutes.`,
);
for (const recipe of wanted) {
	const { name } = recipe;
	const reason = withoutTool(recipe);
	if (reason !== undefined && !process.env["CI"]) {
		console.log(`${name}: left out; ${reason}`);
		continue;
	}
	const startedAt = performance.now();
	await buildProgram(recipe);
	const seconds = (performance.now() - startedAt) / 1000;
	console.log(`${name}: ready after ${seconds.toFixed(1)} s`);
}
