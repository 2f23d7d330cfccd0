/**
 * Programs in other languages that tests run. `npm run peers` builds them before the tests, and stores each under a hash of its
 * sources. No test builds a program.
 */

import { type ExecFileOptions, execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Recipe {
	/** The name of the program, in `.cache/peers`. */
	readonly name: string;
	/** The command that builds it, with the argument that prints its version. */
	readonly tool: readonly [command: string, argument: string];
	/** The directory of the sources. */
	readonly sources: URL;
	/** The files in that directory from which it is built. */
	readonly files: RegExp;
	/** Builds it at the path `draft`, which does not exist yet. */
	build(draft: string, run: Run): Promise<void>;
}

/** Runs a command in the directory of the sources. Rejects with its output if it fails. */
export type Run = (
	command: string,
	args: readonly string[],
	environment?: Readonly<Record<string, string>>,
) => Promise<void>;

const cache = fileURLToPath(new URL("../../.cache/peers/", import.meta.url));

/** A Go module with the program `target`, from the module itself or from one that it requires. */
export function goRecipe(name: string, sources: URL, target = "."): Recipe {
	return {
		name,
		sources,
		tool: ["go", "version"],
		files: /\.(go|mod|sum)$/,
		build: (draft, run) =>
			run("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", draft, target]),
	};
}

/** Why the program is not available to a test. Undefined if it is. Throws instead if `CI` is set. */
export function missing(recipe: Recipe): string | undefined {
	const reason = existsSync(fileOf(recipe)) ? undefined : whyNotBuilt(recipe);
	if (reason !== undefined && process.env["CI"]) {
		throw new Error(`CI needs ${recipe.name}: ${reason}`);
	}
	return reason;
}

function whyNotBuilt(recipe: Recipe): string {
	return (
		withoutTool(recipe) ??
		`${recipe.name} is not built yet: "npm run peers ${recipe.name}" builds it`
	);
}

/** Why the program cannot be built here. Undefined if it can. */
export function withoutTool({
	tool: [command, argument],
	name,
}: Recipe): string | undefined {
	return spawnSync(command, [argument]).error
		? `${command} is not installed, so ${name} cannot be built`
		: undefined;
}

/** The file or directory that the recipe has built. Throws if it does not exist. */
export function builtProgram(recipe: Recipe): string {
	const file = fileOf(recipe);
	if (!existsSync(file)) throw new Error(whyNotBuilt(recipe));
	return file;
}

/** Builds the program unless it exists. */
export async function buildProgram(recipe: Recipe): Promise<void> {
	const file = fileOf(recipe);
	if (existsSync(file)) return;
	await mkdir(cache, { recursive: true });
	await withLock(`${file}.lock`, async () => {
		if (existsSync(file)) return;
		const draft = `${file}.draft`;
		await rm(draft, { recursive: true, force: true });
		await recipe.build(draft, (command, args, environment) =>
			run(command, args, {
				cwd: fileURLToPath(recipe.sources),
				env: { ...process.env, ...environment },
				maxBuffer: 64 * 1024 * 1024,
			}),
		);
		await rename(draft, file);
	});
}

const files = new Map<Recipe, string>();

/** The path of the program when it is built. */
function fileOf(recipe: Recipe): string {
	let file = files.get(recipe);
	if (file === undefined) {
		file = `${cache}${recipe.name}-${hashOf(recipe)}`;
		files.set(recipe, file);
	}
	return file;
}

function hashOf({ sources, files }: Recipe): string {
	const directory = fileURLToPath(sources);
	const names = readdirSync(directory, { recursive: true })
		.map(String)
		.filter((name) => files.test(name));
	const hash = createHash("sha256");
	for (const name of names.sort()) {
		hash.update(name).update(readFileSync(`${directory}${name}`));
	}
	return hash.digest("hex").slice(0, 16);
}

async function run(
	command: string,
	args: readonly string[],
	options: ExecFileOptions,
): Promise<void> {
	try {
		await promisify(execFile)(command, args, options);
	} catch (error) {
		const { stdout, stderr } = error as { stdout?: string; stderr?: string };
		throw new Error(
			`${command} ${args.join(" ")} failed\n${stdout ?? ""}${stderr ?? ""}`,
			{ cause: error },
		);
	}
}

/** Lets one process at a time build. Takes over the lock of a process that has died. */
async function withLock(
	file: string,
	action: () => Promise<void>,
): Promise<void> {
	while (!(await locked(file))) await delay(200);
	try {
		await action();
	} finally {
		await rm(file, { force: true });
	}
}

async function locked(file: string): Promise<boolean> {
	try {
		const handle = await open(file, "wx");
		await handle.write(String(process.pid));
		await handle.close();
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
		const owner = Number(await readFile(file, "utf8").catch(() => ""));
		if (owner > 0 && !isAlive(owner)) await rm(file, { force: true });
		return false;
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}
