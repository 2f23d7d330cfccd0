import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type {
	CodeGeneratorRequest,
	CodeGeneratorResponse,
} from "@bufbuild/protobuf/wkt";
import { casesDirectory, generate, pluginOptions } from "./golden.ts";
import type { PluginBundle } from "./plugin-bundle.ts";

/** A way to generate code and to compile it. */
export interface Compilation {
	readonly name: string;
	readonly target: "ts" | "js+dts";
	readonly importExtension: "js" | "ts" | "none";
	/** Whether Node can load the code without a build. */
	readonly loads: boolean;
	readonly compilerOptions: Readonly<Record<string, unknown>>;
}

const strict = {
	target: "es2022",
	lib: [
		"es2023",
		"esnext.disposable",
		"dom",
		"dom.iterable",
		"dom.asynciterable",
	],
	types: ["node"],
	strict: true,
	noUncheckedIndexedAccess: true,
	exactOptionalPropertyTypes: true,
	verbatimModuleSyntax: true,
	declaration: true,
	isolatedDeclarations: true,
	isolatedModules: true,
	erasableSyntaxOnly: true,
	noUnusedLocals: true,
	noUnusedParameters: true,
	noImplicitOverride: true,
	noPropertyAccessFromIndexSignature: true,
	skipLibCheck: false,
	noEmit: true,
};

export const compilations: readonly Compilation[] = [
	{
		name: "nodenext-js",
		target: "ts",
		importExtension: "js",
		loads: false,
		compilerOptions: { ...strict, module: "nodenext" },
	},
	{
		name: "nodenext-ts",
		target: "ts",
		importExtension: "ts",
		loads: true,
		compilerOptions: {
			...strict,
			module: "nodenext",
			allowImportingTsExtensions: true,
		},
	},
	{
		name: "bundler-none",
		target: "ts",
		importExtension: "none",
		loads: false,
		compilerOptions: {
			...strict,
			module: "esnext",
			moduleResolution: "bundler",
		},
	},
	{
		name: "declarations",
		target: "js+dts",
		importExtension: "js",
		loads: true,
		compilerOptions: { ...strict, module: "nodenext" },
	},
];

interface EsPlugin {
	run(request: CodeGeneratorRequest): CodeGeneratorResponse;
}

const { protocGenEs }: { protocGenEs: EsPlugin } = createRequire(
	import.meta.url,
)("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js");

/**
 * Writes the output of both plugins, and the programs of the case.
 * Resolves with the paths of the modules that homing generated.
 */
export async function writeCase(
	directory: string,
	golden: string,
	{ target, importExtension }: Compilation,
	request: CodeGeneratorRequest,
	bundle: PluginBundle,
): Promise<string[]> {
	const common = `target=${target},import_extension=${importExtension}`;
	const own = (await pluginOptions(golden))
		.split(",")
		.filter((option) => !/^(target|import_extension)=/.test(option));
	const options = request.protoFile
		.map(({ name }) => name)
		.filter((name) => name === "homing/options.proto");
	const messages = protocGenEs.run({
		...request,
		fileToGenerate: [...request.fileToGenerate, ...options],
		parameter: `${common},erasable_syntax=true`,
	});
	const services = generate(bundle, request, [common, ...own].join(","));
	for (const [path, content] of [
		...messages.file.map(({ name, content }) => [name, content] as const),
		...services,
	]) {
		await write(join(directory, golden, "gen", path), content);
	}
	const extension = importExtension === "none" ? "" : `.${importExtension}`;
	for (const program of ["types.ts", "run.ts"]) {
		const path = join(casesDirectory, golden, program);
		if (existsSync(path)) {
			const source = await readFile(path, "utf8");
			await write(
				join(directory, golden, program),
				source.replace(/(from "\.\/gen\/.*)\.js";/g, `$1${extension}";`),
			);
		}
	}
	return [...services.keys()]
		.filter((path) => !path.endsWith(".d.ts"))
		.map((path) => join(directory, golden, "gen", path));
}

/** Compiles all cases at once. Resolves with the output of the compiler, which is empty if there are no errors. */
export async function compile(
	directory: string,
	{ compilerOptions }: Compilation,
	tsc: string,
): Promise<string> {
	await write(
		join(directory, "tsconfig.json"),
		JSON.stringify({ compilerOptions, include: ["."] }),
	);
	try {
		await promisify(execFile)(process.execPath, [tsc, "-p", directory]);
		return "";
	} catch (error) {
		if (error instanceof Error && "stdout" in error) {
			return String(error.stdout);
		}
		throw error;
	}
}

async function write(path: string, content: string): Promise<void> {
	await mkdir(dirname(path), { recursive: true });
	await writeFile(path, content);
}
