import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import optionsProto from "../../proto/homing/options.proto";

/**
 * Writes homing/options.proto below a directory, over the one that is there. Of its own, buf and protoc find no proto in
 * node_modules where that has links (workspaces, pnpm) or is not there (Yarn PnP).
 *
 * @returns its path
 * @throws Error of the file system
 */
export function exportOptions(directory: string): string {
	const path = join(directory, "homing", "options.proto");
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, optionsProto);
	return path;
}
