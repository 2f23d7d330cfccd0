import { spawnSync } from "node:child_process";
import {
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { node20Missing, node20Program } from "./harness/other-node.ts";
import { root } from "./harness/requests.ts";

const SENTENCE = /homing needs Node 22\.12 or newer; this is v20\.\d+\.\d+/;

/** Those that only hold data need no Node at all. */
const entryPoints = Object.keys(packageJson.exports)
	.map((path) => path.replace(".", packageJson.name))
	.filter((name) => !/package\.json|options/.test(name));

describe.skipIf(node20Missing)(node20Missing ?? "Node 20", () => {
	/** In the package, so that its names are found. */
	let directory: string;

	beforeAll(() => {
		mkdirSync(join(root, ".cache"), { recursive: true });
		directory = mkdtempSync(join(root, ".cache/old-node-"));
	});
	afterAll(() => rmSync(directory, { recursive: true }));

	const run = (...args: string[]) =>
		spawnSync(node20Program(), args, { cwd: directory, encoding: "utf8" });

	test.for(entryPoints)("says what %s needs", (name) => {
		const { stderr, status } = run(
			"--input-type=module",
			"--eval",
			`import ${JSON.stringify(name)}`,
		);
		expect(stderr).toMatch(SENTENCE);
		expect(status).toBe(1);
	});

	test("refuses to run a program that was bundled into one file", async () => {
		await build({
			absWorkingDir: directory,
			stdin: {
				contents: `
					import { newClient } from "homing";
					import { Server } from "homing/server";
					console.log(newClient, Server);
				`,
				resolveDir: directory,
			},
			outfile: "bundle.mjs",
			bundle: true,
			format: "esm",
			platform: "node",
			// As it is installed, not as it is written.
			tsconfigRaw: {},
			banner: {
				js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
			},
		});
		const { stderr, status } = run("bundle.mjs");
		expect(stderr).toMatch(SENTENCE);
		expect(status).toBe(1);
	});

	test("generates the same code as a newer Node, and says which Node can run it", () => {
		writeFileSync(
			join(directory, "a.proto"),
			'syntax = "proto3"; package a.v1; message A {} service S { rpc Get(A) returns (A); }',
		);
		const generated = [node20Program(), process.execPath].map((node, index) => {
			const out = `gen-${index}`;
			writeFileSync(
				join(directory, "buf.gen.yaml"),
				JSON.stringify({
					version: "v2",
					plugins: [
						{ local: [node, join(root, "bin/protoc-gen-homing")], out },
					],
				}),
			);
			const { stderr, status } = spawnSync(
				join(root, "node_modules/.bin/buf"),
				["generate"],
				{ cwd: directory, encoding: "utf8" },
			);
			expect(status, stderr).toBe(0);
			const file = readFileSync(join(directory, out, "a_rpc.ts"), "utf8");
			return { file, stderr };
		});
		const [old, current] = generated;
		expect(old?.file).toBe(current?.file);
		expect(old?.stderr).toMatch(SENTENCE);
		expect(current?.stderr).toBe("");
	});
});
