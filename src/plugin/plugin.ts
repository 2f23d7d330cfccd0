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
import { Comments } from "./comments.ts";
import { assertDistinctMethods, serviceNames } from "./names.ts";
import { type HomingOptions, parseHomingOptions } from "./options.ts";
import { References } from "./references.ts";
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

function generate(schema: Schema<HomingOptions>, target: Target): void {
	assertDistinctOutputs(schema.files);
	const references = new References();
	for (const file of schema.files) {
		const f = schema.generateFile(outputPath(file, target));
		f.preamble(file);
		printServices(schema, references, file, f, target);
	}
}

function printServices(
	schema: Schema<HomingOptions>,
	references: References,
	file: DescFile,
	f: GeneratedFile,
	target: Target,
): void {
	if (file.services.length === 0) {
		return;
	}
	const comments = new Comments(file);
	const names = serviceNames(file, references.names(f, file));
	const self = `./${outputPath(file, "js")}`;
	const { emit } = schema.options;
	const constructs = [
		...(emit === "server" ? [] : clientHalf(target)),
		...(emit === "client" ? [] : serverHalf(target)),
	];
	let first = true;
	for (const [service, serviceNames] of names) {
		assertDistinctMethods(service);
		const context: ServiceContext = {
			f,
			target,
			service,
			names: serviceNames,
			comments,
			references,
			local: (name) => f.import(name, self),
		};
		for (const print of constructs) {
			if (!first) {
				f.print();
			}
			print(context);
			first = false;
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
