import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtProgram, missing } from "../testdata/harness/built-program.ts";
import { snippetsIn, snippetsOf } from "../testdata/harness/docs-project.ts";
import {
	node22Missing,
	node22Program,
} from "../testdata/harness/other-node.ts";
import { installedProject, type Project } from "../testdata/harness/project.ts";
import { root } from "../testdata/harness/requests.ts";
import { setupTools } from "../testdata/peers/node/recipes.ts";

const page = readFileSync(join(root, "docs/setups.md"), "utf8");
const reason = missing(setupTools) ?? node22Missing;

/** Installing, generating and compiling projects takes long. */
const timeout = 180_000;

/** The section under a heading. */
function section(title: string): string {
	const [, text = ""] = page.split(`\n## ${title}\n`);
	return text.split("\n## ")[0] as string;
}

/** The shell commands of a section, except those that install packages. */
function commands(text: string): string[] {
	return [...text.matchAll(/^```sh\n(.*?)^```$/gms)]
		.flatMap(([, lines = ""]) => lines.trim().split("\n"))
		.filter((line) => !line.startsWith("npm install"))
		.map((line) => line.replaceAll("npx ", ""));
}

describe.skipIf(reason)(reason ?? "docs/setups.md", { timeout }, () => {
	const nodes = [process.execPath, reason ? "" : node22Program()];

	/** Makes the project of the README, with the files of a section instead of its own. */
	async function projectOf(title: string): Promise<Project> {
		const project = await installedProject();
		await project.link(`${builtProgram(setupTools)}/node_modules`);
		await project.write([
			...snippetsOf("README.md").filter(({ file }) => !file.endsWith(".ts")),
			...snippetsIn(section(title)),
		]);
		await project.run("buf", "generate");
		return project;
	}

	describe.each(["tsx", "CommonJS", "Jest", "Bundlers", "Monorepos"])(
		"%s",
		(title) => {
			let project: Project;
			beforeAll(async () => {
				project = await projectOf(title);
			}, timeout);
			afterAll(() => project?.[Symbol.asyncDispose]());
			/** Runs a command on each Node. */
			const onEach = (command: string): Promise<string[]> =>
				Promise.all(
					nodes.map((node) =>
						project.run("sh", "-ec", `PATH=${dirname(node)}:$PATH; ${command}`),
					),
				);

			if (title === "tsx") {
				test("shows a program that runs", async () => {
					const [command = ""] = commands(section(title));
					const said = await onEach(command);
					expect(said).toEqual(nodes.map(() => "Hello, Ada!\n"));
				});
			}
			if (title === "CommonJS") {
				test("shows a program that compiles and runs", async () => {
					await project.run("tsc");
					const main = join(project.directory, "dist/main.js");
					expect(readFileSync(main, "utf8")).toContain('require("homing/');
					const said = await onEach("node dist/main.js");
					expect(said).toEqual(nodes.map(() => "Hello, Ada!\n"));
				});
			}
			if (title === "Jest") {
				test("shows a test that passes", async () => {
					await onEach("jest --coverage=false 2>&1 | grep '1 passed, 1 total'");
				});
			}
			if (title === "Bundlers") {
				test("shows commands that bundle a program into files that run without homing", async () => {
					const lines = commands(section(title));
					expect(lines).toHaveLength(2);
					for (const line of lines) await project.run("sh", "-ec", line);
					await project.run("rm", "-r", "node_modules");
					for (const file of ["dist/service.mjs", "dist/rolldown/service.js"]) {
						const said = await onEach(`node ${file}`);
						expect(said).toEqual(nodes.map(() => "Hello, Ada!\n"));
					}
				});
			}
			if (title === "Monorepos") {
				test("shows packages that use generated code of another package", async () => {
					const from = join(project.directory, "node_modules/@acme");
					await project.run("mkdir", from);
					await project.run("ln", "-s", "../../packages/api", `${from}/api`);
					const said = await onEach("node packages/web/main.ts");
					expect(said).toEqual(nodes.map(() => "function\n"));
				});
			}
		},
	);
});
