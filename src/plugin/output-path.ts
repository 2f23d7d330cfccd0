import type { DescFile } from "@bufbuild/protobuf";
import type { Target } from "@bufbuild/protoplugin";

/** The path of the generated file, from the root of the output. */
export function outputPath(file: DescFile, target: Target): string {
	return `${file.name}_rpc.${target === "dts" ? "d.ts" : target}`;
}

/**
 * Checks that the generated files have different paths.
 *
 * @throws Error if two proto files lead to the same path, as `a` and `a.proto` would
 */
export function assertDistinctOutputs(files: readonly DescFile[]): void {
	const seen = new Map<string, DescFile>();
	for (const file of files) {
		const path = outputPath(file, "ts");
		const other = seen.get(path);
		if (other !== undefined) {
			throw new Error(
				`${other.proto.name} and ${file.proto.name} would both be generated as ${path}; rename one of them`,
			);
		}
		seen.set(path, file);
	}
}
