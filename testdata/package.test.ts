import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { CodeGeneratorRequest } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	type Compilation,
	compilations,
	compile,
	writeCase,
} from "./harness/compile.ts";
import { goldenCases, testdata } from "./harness/golden.ts";
import { type PluginBundle, pluginBundle } from "./harness/plugin-bundle.ts";
import { installedProject, type Project } from "./harness/project.ts";
import { recordRequests, root } from "./harness/requests.ts";
import { tool } from "./harness/tool.ts";

const running = await casesWith("run.ts");
let project: Project;
let bundle: PluginBundle;

beforeAll(async () => {
	[project, bundle] = await Promise.all([installedProject(), pluginBundle()]);
});

afterAll(async () => {
	await project[Symbol.asyncDispose]();
	await bundle[Symbol.asyncDispose]();
});

describe("generated code", () => {
	const cases = new Map<string, CodeGeneratorRequest>();
	const loadable = new Map<Compilation, string[]>();

	beforeAll(async () => {
		for (const golden of await casesWith("types.ts")) {
			const { all } = await recordRequests(join(testdata, golden), ["all"]);
			cases.set(golden, all);
		}
		for (const compilation of compilations) {
			const directory = join(project.directory, compilation.name);
			const paths: string[] = [];
			for (const [golden, request] of cases) {
				paths.push(
					...(await writeCase(directory, golden, compilation, request, bundle)),
				);
			}
			loadable.set(compilation, paths);
		}
	});

	describe.for(compilations)("as $name", (compilation) => {
		it.for(["typescript", "typescript-5.8"])(
			"compiles with %s, and the types are what they should be",
			{ timeout: 120_000 },
			async (compiler) => {
				const tsc = join(root, "node_modules", compiler, "lib/tsc.js");
				const directory = join(project.directory, compilation.name);
				expect(await compile(directory, compilation, tsc)).toBe("");
			},
		);

		if (compilation.loads) {
			it("is loaded by Node as it is", async () => {
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
		const run = join(project.directory, "nodenext-ts", golden, "run.ts");
		await project.run(process.execPath, run);
	});
});

describe("the installed plugin", () => {
	const services = join(testdata, "services");

	beforeAll(async () => {
		await mkdir(join(project.directory, "proto"));
		for (const proto of ["echo", "ecommerce", "hello", "microservice"]) {
			const copy = join(project.directory, "proto", proto);
			await cp(join(services, proto), copy, { recursive: true });
		}
	});

	it.for(["directory", "all"])(
		"is run by buf generate with strategy %s",
		async (strategy) => {
			const out = `by-buf-${strategy}`;
			await writeFile(
				join(project.directory, "buf.gen.yaml"),
				JSON.stringify({
					version: "v2",
					inputs: [{ directory: "proto" }],
					plugins: [
						{
							local: "protoc-gen-homing",
							out,
							strategy,
							opt: committedOptions,
						},
					],
				}),
			);
			await project.run("buf", "generate");
			expect(await generated(join(project.directory, out))).toEqual(
				await generated(join(services, "gen")),
			);
		},
	);

	it("is run by protoc", async ({ skip }) => {
		await tool("protoc", skip);
		await mkdir(join(project.directory, "by-protoc"));
		const protos = await readdir(join(project.directory, "proto"), {
			recursive: true,
		});
		await project.run(
			"protoc",
			"--proto_path=proto",
			"--homing_out=by-protoc",
			`--homing_opt=${committedOptions.join(",")}`,
			...protos.filter((path) => path.endsWith(".proto")),
		);
		expect(await generated(join(project.directory, "by-protoc"))).toEqual(
			await generated(join(services, "gen")),
		);
	});
});

async function casesWith(program: string): Promise<string[]> {
	const cases = await goldenCases();
	return cases.filter((golden) => existsSync(join(testdata, golden, program)));
}

describe("homing/options.proto", () => {
	const mapped = "map_imports=homing/options.proto:homing/options";
	const messageOptions = ["target=js", "import_extension=js", mapped];
	const serviceOptions = ["target=js", "import_extension=js"];

	beforeAll(async () => {
		const proto = join(project.directory, "with-options");
		await mkdir(proto);
		const golden = join(testdata, "policies-in-the-proto/policies.proto");
		await cp(golden, join(proto, "policies.proto"));
	});

	it("is found in the package by buf, and generated code finds its module there", async () => {
		const write = (path: string, content: object) =>
			writeFile(join(project.directory, path), JSON.stringify(content));
		await write("buf.yaml", {
			version: "v2",
			modules: [
				{ path: "with-options" },
				{ path: "node_modules/homing/proto" },
			],
		});
		const out = "options-by-buf";
		await write("buf.gen.yaml", {
			version: "v2",
			inputs: [{ directory: "with-options" }],
			plugins: [
				{ local: "protoc-gen-es", out, opt: messageOptions },
				{ local: "protoc-gen-homing", out, opt: serviceOptions },
			],
		});
		await project.run("buf", "generate");
		await load(`${out}/policies_rpc.js`);
	});

	it("is found in the package by protoc, and generated code finds its module there", async ({
		skip,
	}) => {
		await tool("protoc", skip);
		const out = "options-by-protoc";
		await mkdir(join(project.directory, out));
		await project.run(
			"protoc",
			"--proto_path=with-options",
			"--proto_path=node_modules/homing/proto",
			`--es_out=${out}`,
			`--es_opt=${messageOptions.join(",")}`,
			`--homing_out=${out}`,
			`--homing_opt=${serviceOptions.join(",")}`,
			"policies.proto",
		);
		await load(`${out}/policies_rpc.js`);
	});

	async function load(path: string): Promise<void> {
		const messages = join(project.directory, path.replace("_rpc", "_pb"));
		expect(await readFile(messages, "utf8")).toContain('from "homing/options/');
		await project.run(process.execPath, path);
	}
});

/** With which the code in the repository is generated. */
const committedOptions = [
	"target=ts",
	"import_extension=ts",
	"elide_plugin_version=true",
];

/** The files in a directory that homing generated, by path. */
async function generated(directory: string): Promise<[string, string][]> {
	const paths = await readdir(directory, { recursive: true });
	return Promise.all(
		paths
			.filter((path) => path.endsWith("_rpc.ts"))
			.sort()
			.map(
				async (path): Promise<[string, string]> => [
					path,
					await readFile(join(directory, path), "utf8"),
				],
			),
	);
}
