/** Tests that compile the generated code of all cases with a TypeScript compiler. */

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import {
	type Compilation,
	compilations,
	compile,
	writeCase,
} from "./harness/compile.ts";
import { casesDirectory, goldenCases } from "./harness/golden.ts";
import type { PluginBundle } from "./harness/plugin-bundle.ts";
import type { Project } from "./harness/project.ts";
import { recordRequests, root } from "./harness/requests.ts";

/**
 * Declares the tests.
 *
 * @param compiler the package of the compiler
 * @param running the cases with a program to run; the others are only compiled
 * @param installed called when the tests run
 */
export function testGenerated(
	compiler: string,
	running: readonly string[],
	installed: () => { readonly project: Project; readonly bundle: PluginBundle },
): void {
	describe("generated code", () => {
		const loadable = new Map<Compilation, string[]>();

		beforeAll(async () => {
			const { project, bundle } = installed();
			for (const golden of await casesWith("types.ts")) {
				const { all } = await recordRequests(join(casesDirectory, golden), [
					"all",
				]);
				for (const compilation of compilations) {
					const directory = join(project.directory, compilation.name);
					const paths = loadable.get(compilation) ?? [];
					loadable.set(compilation, paths);
					paths.push(
						...(await writeCase(directory, golden, compilation, all, bundle)),
					);
				}
			}
		});

		describe.for(compilations)("as $name", (compilation) => {
			it(`compiles with ${compiler}, and the types are what they should be`, {
				timeout: 120_000,
			}, async () => {
				const tsc = join(root, "node_modules", compiler, "lib/tsc.js");
				const directory = join(installed().project.directory, compilation.name);
				expect(await compile(directory, compilation, tsc)).toBe("");
			});

			if (compilation.loads && running.length > 0) {
				it("is loaded by Node as it is", async () => {
					const { project } = installed();
					const paths = loadable.get(compilation) ?? [];
					expect(paths.length).toBeGreaterThan(20);
					const main = join(project.directory, "load.mjs");
					await writeFile(
						main,
						paths
							.map((path) => `await import("${pathToFileURL(path)}");\n`)
							.join(""),
					);
					await project.run(process.execPath, main);
				});
			}
		});

		it.for(running)("runs on the runtime: %s", async (golden) => {
			const { project } = installed();
			const run = join(project.directory, "nodenext-ts", golden, "run.ts");
			await project.run(process.execPath, run);
		});
	});
}

/** The cases that have a program of this name. */
export async function casesWith(program: string): Promise<string[]> {
	const cases = await goldenCases();
	return cases.filter((golden) =>
		existsSync(join(casesDirectory, golden, program)),
	);
}
