/** Programs in other languages that tests run: built once, and kept under a hash of their sources. */

import { type ExecFileOptions, execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Recipe {
	/** Of what is built, in `.cache/peers`. */
	readonly name: string;
	/** What builds it, with the argument that makes it tell its version. */
	readonly tool: readonly [command: string, argument: string];
	/** A directory. */
	readonly sources: URL;
	/** The files there that it is made of. */
	readonly files: RegExp;
	/** Builds it at `draft`, a path where nothing is yet. */
	build(draft: string, run: Run): Promise<void>;
	/** It takes minutes, so that tests do not build it by themselves: `npm run peers` does. */
	readonly slow?: true;
}

/** Runs a command among the sources; rejects with what it printed. */
export type Run = (
	command: string,
	args: readonly string[],
	environment?: Readonly<Record<string, string>>,
) => Promise<void>;

const cache = fileURLToPath(new URL("../../.cache/peers/", import.meta.url));

/** A Go module whose program is `target`: the module's own, or that of a module that it requires. */
export function goRecipe(
	name: string,
	sources: URL,
	target = ".",
	more: Pick<Recipe, "slow"> = {},
): Recipe {
	return {
		name,
		sources,
		tool: ["go", "version"],
		files: /\.(go|mod|sum)$/,
		build: (draft, run) =>
			run("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", draft, target]),
		...more,
	};
}

/** Why a test cannot have the program; undefined if it can. Where `CI` is set, throws instead. */
export function missing(recipe: Recipe): string | undefined {
	const reason = reasonOf(recipe);
	if (reason !== undefined && process.env["CI"]) {
		throw new Error(`CI needs ${recipe.name}: ${reason}`);
	}
	return reason;
}

function reasonOf({ tool: [command, argument], name, slow }: Recipe) {
	if (spawnSync(command, [argument]).error) {
		return `${command} is not installed, so ${name} cannot be built`;
	}
	if (slow && !process.env["CI"] && !existsSync(`${cache}${name}.built`)) {
		return `${name} is not built yet: "npm run peers" does it, in minutes`;
	}
	return undefined;
}

const builds = new Map<Recipe, Promise<string>>();

/** The file or directory that the recipe makes, built now if it is not there. */
export function builtProgram(recipe: Recipe): Promise<string> {
	let build = builds.get(recipe);
	if (build === undefined) {
		build = buildOnce(recipe);
		builds.set(recipe, build);
	}
	return build;
}

async function buildOnce(recipe: Recipe): Promise<string> {
	const file = `${cache}${recipe.name}-${await hashOf(recipe)}`;
	if (existsSync(file)) return file;
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
	await (await open(`${cache}${recipe.name}.built`, "w")).close();
	return file;
}

async function hashOf({ sources, files }: Recipe): Promise<string> {
	const directory = fileURLToPath(sources);
	const names = (await readdir(directory, { recursive: true })).filter((name) =>
		files.test(name),
	);
	const hash = createHash("sha256");
	for (const name of names.sort()) {
		hash.update(name).update(await readFile(`${directory}${name}`));
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

/** One process at a time; the lock of one that has died is taken over. */
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
