import type { DescFile } from "@bufbuild/protobuf";
import type { CodeGeneratorRequest } from "@bufbuild/protobuf/wkt";
import {
	createEcmaScriptPlugin,
	type GeneratedFile,
	type Plugin,
	type Schema,
	type Target,
} from "@bufbuild/protoplugin";
import manifest from "../../package.json" with { type: "json" };
import { clientHalf } from "./client-half.ts";
import {
	assertStandardOptions,
	type HomingOptions,
	parseHomingOptions,
} from "./options.ts";
import { type PreparedFile, prepareFiles } from "./prepared-file.ts";
import { serverHalf } from "./server-half.ts";
import type { ServiceContext } from "./service-context.ts";

const plugin = createEcmaScriptPlugin({
	name: "protoc-gen-homing",
	version: `v${manifest.version}`,
	parseOptions: parseHomingOptions,
	generateTs: generate,
	generateJs: generate,
	generateDts: generate,
});

/** Writes `<file>_rpc.ts`, or `.js` and `.d.ts`, for every file that has a service. */
export const protocGenHoming: Plugin = {
	name: plugin.name,
	version: plugin.version,
	run: (request) => plugin.run(withDefaultTarget(request)),
};

/** TypeScript, where protoplugin's own default is JavaScript with declarations. */
function withDefaultTarget(
	request: CodeGeneratorRequest,
): CodeGeneratorRequest {
	const options = request.parameter === "" ? [] : request.parameter.split(",");
	if (!options.some((option) => option.startsWith("target="))) {
		request.parameter = [...options, "target=ts"].join(",");
	}
	return request;
}

/** For the targets of one run, which share its schema. */
const prepared = new WeakMap<Schema, readonly PreparedFile[]>();

function generate(schema: Schema<HomingOptions>, target: Target): void {
	let files = prepared.get(schema);
	if (files === undefined) {
		assertStandardOptions(schema.options);
		assertDistinctOutputs(schema.files);
		files = prepareFiles(schema);
		prepared.set(schema, files);
	}
	for (const file of files) {
		const f = schema.generateFile(outputPath(file.file, target));
		f.preamble(file.file);
		printServices(f, target, schema.options.emit, file);
	}
}

function printServices(
	f: GeneratedFile,
	target: Target,
	emit: HomingOptions["emit"],
	{ file, comments, references, services }: PreparedFile,
): void {
	const self = `./${outputPath(file, "js")}`;
	for (const [index, service] of services.entries()) {
		const context: ServiceContext = {
			...service,
			f,
			target,
			comments,
			references,
			local: (name) => f.import(name, self),
		};
		const constructs = [
			...(emit === "server" ? [] : clientHalf(context)),
			...(emit === "client" ? [] : serverHalf(context)),
		];
		for (const [nth, print] of constructs.entries()) {
			if (index + nth > 0) {
				f.print();
			}
			print(context);
		}
	}
}

function outputPath(file: DescFile, target: Target): string {
	return `${file.name}_rpc.${target === "dts" ? "d.ts" : target}`;
}

/** `a` and `a.proto` are both `a_rpc.ts`. */
function assertDistinctOutputs(files: readonly DescFile[]): void {
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
