import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import optionsProto from "../../proto/homing/options.proto";

/**
 * Writes homing/options.proto below a directory, and overwrites an existing one. It is for projects in which buf and protoc
 * cannot find protos in node_modules: with linked packages (workspaces, pnpm), or without node_modules (Yarn PnP).
 *
 * @returns the path of the file
 * @throws Error of the file system
 */
export function exportOptions(directory: string): string {
	const path = join(directory, "homing", "options.proto");
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, optionsProto);
	return path;
}
