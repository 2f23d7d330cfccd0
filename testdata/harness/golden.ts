import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
	type CodeGeneratorRequest,
	CodeGeneratorRequestSchema,
	CodeGeneratorResponseSchema,
} from "@bufbuild/protobuf/wkt";
import type { PluginBundle } from "./plugin-bundle.ts";
import { root } from "./requests.ts";

/** Generated files by path. `error.txt` contains the error, if the plugin returned one. */
export type Output = ReadonlyMap<string, string>;

export const casesDirectory: string = join(root, "testdata/cases");

/** The golden cases: directories that contain options for the plugin. */
export async function goldenCases(): Promise<string[]> {
	const entries = await readdir(casesDirectory);
	return entries.filter((entry) =>
		existsSync(join(casesDirectory, entry, "plugin-options.txt")),
	);
}

/** The options of a case, without the version, which changes with every release. */
export async function pluginOptions(golden: string): Promise<string> {
	const path = join(casesDirectory, golden, "plugin-options.txt");
	return `${(await readFile(path, "utf8")).trim()},elide_plugin_version=true`;
}

export function generate(
	{ answer }: PluginBundle,
	request: CodeGeneratorRequest,
	parameter: string,
): Output {
	const bytes = toBinary(CodeGeneratorRequestSchema, { ...request, parameter });
	const { error, file } = fromBinary(
		CodeGeneratorResponseSchema,
		answer(bytes),
	);
	return error === ""
		? new Map(file.map(({ name, content }) => [name, content]))
		: new Map([["error.txt", `${error}\n`]]);
}

export async function readGolden(golden: string): Promise<Output> {
	const directory = join(casesDirectory, golden, "golden");
	if (!existsSync(directory)) {
		return new Map();
	}
	const entries = await readdir(directory, {
		recursive: true,
		withFileTypes: true,
	});
	const files = entries.filter((entry) => entry.isFile());
	return new Map(
		await Promise.all(
			files.map(async (file): Promise<[string, string]> => {
				const path = join(file.parentPath, file.name);
				return [
					relative(directory, path).replaceAll(sep, "/"),
					await readFile(path, "utf8"),
				];
			}),
		),
	);
}
