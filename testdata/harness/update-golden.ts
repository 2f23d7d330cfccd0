/** Replaces the golden files of all cases, or of the named ones, with what the plugin generates now. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
	casesDirectory,
	generate,
	goldenCases,
	pluginOptions,
} from "./golden.ts";
import { pluginBundle } from "./plugin-bundle.ts";
import { recordRequests } from "./requests.ts";

await using bundle = await pluginBundle();
const named = process.argv.slice(2);
for (const golden of named.length > 0 ? named : await goldenCases()) {
	const { all } = await recordRequests(join(casesDirectory, golden));
	const output = generate(bundle, all, await pluginOptions(golden));
	const directory = join(casesDirectory, golden, "golden");
	await rm(directory, { recursive: true, force: true });
	for (const [path, content] of output) {
		await mkdir(dirname(join(directory, path)), { recursive: true });
		await writeFile(join(directory, path), content);
	}
	console.log(`${golden}: ${output.size} files`);
}
