import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import {
	mkdir,
	mkdtemp,
	readdir,
	rm,
	symlink,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Snippet } from "./docs-project.ts";
import { root } from "./requests.ts";

/** A new project in which homing is installed as npm would install it. */
export interface Project extends AsyncDisposable {
	readonly directory: string;
	/** Runs a program in the project, with its installed programs on the path. Rejects if it fails. */
	run(program: string, ...parameters: string[]): Promise<string>;
	/** Writes files into the project. */
	write(files: readonly Snippet[]): Promise<void>;
	/** Links the packages and programs of another `node_modules` that the project does not have. */
	link(modules: string): Promise<void>;
}

const exec = promisify(execFile);

/** Packs the package from dist, and installs it. Links its peers, protoc-gen-es and the types of Node. */
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
		async write(files) {
			for (const { file, text } of files) {
				await mkdir(join(directory, dirname(file)), { recursive: true });
				await writeFile(join(directory, file), text);
			}
		},
		async link(modules) {
			const own = join(directory, "node_modules");
			for (const name of await packagesIn(modules)) {
				if (existsSync(join(own, name))) continue;
				await mkdir(join(own, dirname(name)), { recursive: true });
				await symlink(join(modules, name), join(own, name));
			}
			for (const name of await readdir(join(modules, ".bin"))) {
				await symlink(
					join(modules, ".bin", name),
					join(own, ".bin", name),
				).catch(() => undefined);
			}
		},
		[Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
	};
}

async function packagesIn(modules: string): Promise<string[]> {
	const names = await readdir(modules);
	const scoped = names
		.filter((name) => name.startsWith("@"))
		.map(async (scope) =>
			(await readdir(join(modules, scope))).map((name) => `${scope}/${name}`),
		);
	return [
		...names.filter((name) => !/^[.@]/.test(name)),
		...(await Promise.all(scoped)).flat(),
	];
}
