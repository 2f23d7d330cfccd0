/**
 * `npm run peers`: builds all programs in other languages that tests need, those that are not there yet; `npm run peers NAME`:
 * this one. What cannot be built here is left out; where `CI` is set, that is an error.
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
