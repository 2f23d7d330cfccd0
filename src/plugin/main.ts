import { tooOld } from "../policy/oldest-node.ts";
import { answer } from "./answer.ts";
import { exportOptions } from "./export-options.ts";
import { name, version } from "./plugin.ts";
import { readStdin, stdinIsTerminal, writeStdout } from "./stdio.ts";

export { answer };

const usage = `${name} ${version} generates clients and servers of protobuf services. buf or
protoc runs it, writes a request to its standard input, and reads the generated
files from its standard output.

    # buf.gen.yaml
    version: v2
    plugins:
      - { local: protoc-gen-es,     out: src/gen, opt: [target=ts, import_extension=js] }
      - { local: protoc-gen-homing, out: src/gen, opt: [target=ts, import_extension=js] }

    protoc --es_out=src/gen --es_opt=target=ts,import_extension=js \\
      --homing_out=src/gen --homing_opt=target=ts,import_extension=js file.proto

Options: target (default: ts), import_extension, map_imports, rewrite_imports,
ts_nocheck, keep_empty_files and elide_plugin_version mean the same as for
protoc-gen-es. The plugin's own options are
    emit=client|server|both     which half of a service to generate (default: both)
    grpc_service_config=PATH    a gRPC service config to build into the clients
    retry_max_attempts=N        maxAttempts of its retry policies that have none

${name} --export-options DIR writes homing/options.proto into DIR, the
directory of your protos. Protos import it to set policies.
`;

/**
 * Runs the plugin as a process. Resolves with the exit code: 0 if it wrote an answer, even if that is an error in a proto.
 */
export async function main(parameters: readonly string[]): Promise<number> {
	const [parameter, ...rest] = parameters;
	switch (parameter) {
		case undefined:
			return generate();
		case "--version":
		case "-v":
			await writeStdout(`${name} ${version}\n`);
			return 0;
		case "--help":
		case "-h":
			await writeStdout(usage);
			return 0;
		case "--export-options":
			return runExportOptions(rest);
		default:
			return complain(
				`${parameter} is not an argument of ${name}; options of the plugin go into "opt" of buf.gen.yaml, or into --homing_opt of protoc`,
			);
	}
}

async function runExportOptions(
	parameters: readonly string[],
): Promise<number> {
	const [directory = ""] = parameters;
	if (parameters.length !== 1 || directory === "") {
		return complain(
			"--export-options takes one argument, the directory of your protos, as in --export-options proto",
		);
	}
	try {
		await writeStdout(`${exportOptions(directory)}\n`);
		return 0;
	} catch (error) {
		return complain(`--export-options ${directory}: ${messageOf(error)}`);
	}
}

async function generate(): Promise<number> {
	if (stdinIsTerminal()) {
		return complain(`standard input is a terminal.\n\n${usage}`);
	}
	const old = tooOld(process.versions.node);
	if (old !== undefined) {
		process.stderr.write(
			`${name}: ${old}. This Node can generate the code, but cannot run it\n`,
		);
	}
	const bytes = await readStdin();
	let response: Uint8Array;
	try {
		response = answer(bytes, (warning) =>
			process.stderr.write(`${name}: warning: ${warning}\n`),
		);
	} catch (error) {
		return complain(
			`${messageOf(error)}; run ${name} by buf or protoc, which write the request`,
		);
	}
	try {
		await writeStdout(response);
	} catch (error) {
		return complain(
			`cannot write the answer to standard output: ${messageOf(error)}`,
		);
	}
	return 0;
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

function complain(message: string): number {
	process.stderr.write(`${name}: ${message}\n`);
	return 1;
}
