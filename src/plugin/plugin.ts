import type { DescFile } from "@bufbuild/protobuf";
import type { CodeGeneratorRequest } from "@bufbuild/protobuf/wkt";
import {
	createEcmaScriptPlugin,
	type GeneratedFile,
	type Plugin,
	type Schema,
	type Target,
} from "@bufbuild/protoplugin";

import { clientHalf } from "./client-half.ts";
import { parameters } from "./function.ts";
import { type HomingOptions, parseHomingOptions } from "./options.ts";
import { outputPath } from "./output-path.ts";
import { type PreparedFile, prepareFiles } from "./prepared-file.ts";
import { serverHalf } from "./server-half.ts";
import type { ServiceContext } from "./service-context.ts";
import { Source } from "./source.ts";
import { VERSION } from "./version.ts";

const plugin = createEcmaScriptPlugin({
	name: "protoc-gen-homing",
	version: `v${VERSION}`,
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

/** The work that the targets of one run share. */
const prepared = new WeakMap<Schema, ReadonlyMap<DescFile, PreparedFile>>();

function generate(schema: Schema<HomingOptions>, target: Target): void {
	for (const file of schema.files) {
		const f = schema.generateFile(outputPath(file, target));
		const files = prepared.get(schema) ?? prepareFiles(schema, f);
		prepared.set(schema, files);
		f.preamble(file);
		printServices(f, target, schema.options.emit, files.get(file));
	}
}

function printServices(
	f: GeneratedFile,
	target: Target,
	emit: HomingOptions["emit"],
	prepared: PreparedFile | undefined,
): void {
	if (prepared === undefined) {
		return;
	}
	const { file, services, comments, references } = prepared;
	const declared = services.flatMap(({ names }) => Object.values(names));
	const source = new Source(
		f,
		outputPath(file, "js"),
		new Set([...parameters, ...declared]),
	);
	for (const [index, service] of services.entries()) {
		const context: ServiceContext = {
			...service,
			f: source,
			target,
			comments,
			references,
		};
		const constructs = [
			...(emit === "server" ? [] : clientHalf(context)),
			...(emit === "client" ? [] : serverHalf(context)),
		];
		for (const [nth, print] of constructs.entries()) {
			if (index + nth > 0) {
				source.print();
			}
			print(context);
		}
	}
	source.end();
}
