import { execFile } from "node:child_process";
import {
	cp,
	mkdir,
	mkdtemp,
	readdir,
	readFile,
	rm,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import {
	type CodeGeneratorRequest,
	CodeGeneratorRequestSchema,
} from "@bufbuild/protobuf/wkt";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** The requests that buf sends to a plugin for a directory of protos. */
export interface Requests {
	/** The single request with `strategy: all`. */
	readonly all: CodeGeneratorRequest;
	/** The requests with `strategy: directory`, one for each directory. */
	readonly directories: readonly CodeGeneratorRequest[];
}

/** Runs `buf generate` for the protos of a directory, which may import homing/options.proto. */
export async function recordRequests(
	protos: string,
	strategies: readonly ("all" | "directory")[] = ["all", "directory"],
): Promise<Requests> {
	const workspace = await mkdtemp(join(tmpdir(), "homing-requests-"));
	try {
		await cp(protos, join(workspace, "protos"), { recursive: true });
		await cp(join(root, "proto/homing"), join(workspace, "options/homing"), {
			recursive: true,
		});
		await writeFile(
			join(workspace, "buf.yaml"),
			JSON.stringify({
				version: "v2",
				modules: [{ path: "protos" }, { path: "options" }],
			}),
		);
		await writeFile(
			join(workspace, "buf.gen.yaml"),
			JSON.stringify({
				version: "v2",
				inputs: [{ directory: "protos" }],
				plugins: strategies.map((strategy) => ({
					local: [
						"sh",
						join(root, "testdata/harness/record-request.sh"),
						strategy,
					],
					out: "generated",
					strategy,
				})),
			}),
		);
		await mkdir(join(workspace, "all"));
		await mkdir(join(workspace, "directory"));
		await run(join(root, "node_modules/.bin/buf"), ["generate"], {
			cwd: workspace,
		});
		const [all] = await readRequests(join(workspace, "all"));
		if (all === undefined) {
			throw new Error(`buf found nothing to generate in ${protos}`);
		}
		return {
			all,
			directories: await readRequests(join(workspace, "directory")),
		};
	} finally {
		await rm(workspace, { recursive: true });
	}
}

const run = promisify(execFile);

async function readRequests(
	directory: string,
): Promise<CodeGeneratorRequest[]> {
	const files = await readdir(directory);
	return Promise.all(
		files.map(async (file) =>
			fromBinary(
				CodeGeneratorRequestSchema,
				await readFile(join(directory, file)),
			),
		),
	);
}
