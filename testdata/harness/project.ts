import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { root } from "./requests.ts";

/** An empty project in which homing is installed as npm would install it. */
export interface Project extends AsyncDisposable {
	readonly directory: string;
	/** Runs a program in the project, with what is installed there on the path; rejects if it fails. */
	run(program: string, ...parameters: string[]): Promise<string>;
}

const exec = promisify(execFile);

/** Packs what is in dist, and installs that with its peers, protoc-gen-es and the types of Node, which are linked. */
export async function installedProject(): Promise<Project> {
	if (!existsSync(join(root, "dist/client.d.ts"))) {
		throw new Error("dist is missing; run npm run build first");
	}
	const directory = await mkdtemp(join(tmpdir(), "homing-project-"));
	const path = [
		join(directory, "node_modules/.bin"),
		join(root, "node_modules/.bin"),
		process.env["PATH"],
	].join(delimiter);
	const run = async (program: string, ...parameters: string[]) => {
		const { stdout } = await exec(program, parameters, {
			cwd: directory,
			env: { ...process.env, PATH: path },
		});
		return stdout;
	};
	await exec(
		"npm",
		["pack", "--ignore-scripts", "--silent", "--pack-destination", directory],
		{ cwd: root },
	);
	await writeFile(
		join(directory, "package.json"),
		JSON.stringify({ type: "module", private: true }),
	);
	const tarball = (await run("ls")).match(/homing-.*\.tgz/)?.[0];
	await run(
		"npm",
		"install",
		"--offline",
		"--ignore-scripts",
		"--silent",
		`./${tarball}`,
		...[
			"@bufbuild/protobuf",
			"@bufbuild/protoc-gen-es",
			"@connectrpc/connect",
			"@types/node",
		].map((name) => `file:${join(root, "node_modules", name)}`),
	);
	return {
		directory,
		run,
		[Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
	};
}
