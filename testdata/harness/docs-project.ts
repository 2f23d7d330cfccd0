/** Runs the programs on a page of the docs in their own project. */

import {
	type ChildProcess,
	execFileSync,
	spawn,
	spawnSync,
} from "node:child_process";
import { once } from "node:events";
import {
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "node_modules");

export interface Snippet {
	readonly file: string;
	readonly text: string;
}

type Environment = Readonly<Record<string, string>>;

/** The code blocks of a page that name a file: "```ts client.ts". */
export function snippetsOf(page: string): Snippet[] {
	return snippetsIn(readFileSync(join(root, page), "utf8"));
}

export function snippetsIn(text: string): Snippet[] {
	return [...text.matchAll(/^```\w+ (\S+)\n(.*?)^```$/gms)].map(
		([, file = "", text = ""]) => ({ file, text }),
	);
}

/** A project with the README's service and the files of a page. */
export class DocsProject implements Disposable {
	readonly directory: string = mkdtempSync(join(tmpdir(), "homing-docs-"));

	constructor(snippets: readonly Snippet[]) {
		const all = [
			{ file: "package.json", text: '{ "type": "module" }' },
			...snippetsOf("README.md").filter(({ file }) => !file.endsWith(".ts")),
			...snippets,
		];
		for (const { file, text } of all) {
			mkdirSync(join(this.directory, dirname(file)), { recursive: true });
			writeFileSync(join(this.directory, file), text);
		}
		const here = join(this.directory, "node_modules");
		mkdirSync(here);
		symlinkSync(root, join(here, "homing"));
		for (const name of ["@bufbuild", "@connectrpc", "@types", "undici-types"]) {
			symlinkSync(join(modules, name), join(here, name));
		}
		const path = [
			join(root, "bin"),
			join(modules, ".bin"),
			process.env["PATH"],
		];
		execFileSync(join(modules, ".bin/buf"), ["generate"], {
			cwd: this.directory,
			env: { ...process.env, PATH: path.join(delimiter) },
		});
	}

	/** Compiles the project with the README's tsconfig.json. Throws the output of the compiler if there are errors. */
	typeCheck(): void {
		const { status, stdout } = spawnSync(
			join(modules, ".bin/tsc"),
			["--project", ".", "--preserveSymlinks", "--skipLibCheck"],
			{ cwd: this.directory, encoding: "utf8" },
		);
		if (status !== 0) throw new Error(stdout);
	}

	/** Runs a program. Resolves with its output, or rejects with it if the program fails. */
	async run(file: string, environment: Environment = {}): Promise<string> {
		const child = this.start(file, environment);
		let output = "";
		for (const stream of [child.stdout, child.stderr]) {
			stream?.on("data", (text) => {
				output += text;
			});
		}
		const [code] = await once(child, "close");
		if (code !== 0) throw new Error(`${file} ended with ${code}: ${output}`);
		return output;
	}

	start(file: string, environment: Environment = {}): ChildProcess {
		return spawn(process.execPath, ["--preserve-symlinks", file], {
			cwd: this.directory,
			stdio: ["ignore", "pipe", "pipe"],
			env: { ...process.env, ...environment },
		});
	}

	[Symbol.dispose](): void {
		rmSync(this.directory, { recursive: true });
	}
}
