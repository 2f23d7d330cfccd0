import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
	buildProgram,
	builtProgram,
	missing,
	type Recipe,
} from "./built-program.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

let made = 0;
/** A recipe for a program that was not built. */
function recipe(tool: Recipe["tool"] = [process.execPath, "--version"]) {
	return {
		name: `program-of-a-test-${process.pid}-${made++}`,
		tool,
		sources: new URL(".", import.meta.url),
		files: /^built-program\.ts$/,
		build: vi.fn<Recipe["build"]>(async (draft) => writeFile(draft, "built")),
	};
}

afterEach(() => {
	vi.unstubAllEnvs();
	const mine = `.cache/peers/program-of-a-test-${process.pid}-*`;
	for (const file of globSync(mine, { cwd: root })) rmSync(`${root}${file}`);
});

describe("a program that tests run", () => {
	test("is built once, before the tests", async () => {
		const wanted = recipe();
		await Promise.all([buildProgram(wanted), buildProgram(wanted)]);
		await buildProgram(wanted);
		expect(wanted.build).toHaveBeenCalledTimes(1);
		vi.stubEnv("CI", "true");
		expect(missing(wanted)).toBeUndefined();
		expect(existsSync(builtProgram(wanted))).toBe(true);
	});

	test("is not built by a test that needs it: the test is told how to get it", () => {
		vi.stubEnv("CI", "");
		const wanted = recipe();
		const { name } = wanted;
		const sentence = `${name} is not built yet: "npm run peers ${name}" builds it`;
		expect(missing(wanted)).toBe(sentence);
		expect(() => builtProgram(wanted)).toThrow(sentence);
		expect(wanted.build).not.toHaveBeenCalled();
	});

	test("cannot be had without the tool that builds it", () => {
		vi.stubEnv("CI", "");
		const wanted = recipe(["homing-no-such-tool", "--version"]);
		expect(missing(wanted)).toBe(
			`homing-no-such-tool is not installed, so ${wanted.name} cannot be built`,
		);
	});

	test("may not be missing in CI", () => {
		vi.stubEnv("CI", "true");
		const wanted = recipe();
		expect(() => missing(wanted)).toThrow(`CI needs ${wanted.name}: `);
	});
});

test("only tests named *.system.test.ts run such programs", () => {
	const recipes = `${root}testdata/peers/node/recipes.ts`;
	const known = new Map<string, boolean>([[recipes, true]]);
	const reaches = (file: string): boolean => {
		let answer = known.get(file);
		if (answer === undefined) {
			known.set(file, false);
			answer = importsOf(file).some(reaches);
			known.set(file, answer);
		}
		return answer;
	};
	const needing = globSync(
		"{docs,examples,faults,simulation,src,testdata}/**/*.test.ts",
		{ cwd: root },
	).filter((file) => reaches(root + file));
	expect(needing.length).toBeGreaterThan(10);
	for (const file of needing) expect(file).toMatch(/\.system\.test\.ts$/);
});

function importsOf(file: string): string[] {
	const imports = /(?:from|import)\s*\(?\s*"(\.[^"]+\.ts)"/g;
	return [...readFileSync(file, "utf8").matchAll(imports)]
		.map(([, path = ""]) => resolve(dirname(file), path))
		.filter((path) => existsSync(path));
}
