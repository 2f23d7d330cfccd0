import type { DescFile } from "@bufbuild/protobuf";
import type { CodeGeneratorRequest } from "@bufbuild/protobuf/wkt";
import {
	createEcmaScriptPlugin,
	type EcmaScriptPluginOptions,
	type Plugin,
	type Schema,
	type Target,
} from "@bufbuild/protoplugin";
import { clientHalf } from "./client-half.ts";
import { parameterNames } from "./function.ts";
import { modulePath } from "./module-path.ts";
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
		const text = servicesOf(files.get(file), target, schema.options);
		if (text !== "") {
			f.print(text.trimEnd());
		}
	}
}

/** The text of a file below its preamble. */
function servicesOf(
	prepared: PreparedFile | undefined,
	target: Target,
	options: HomingOptions & EcmaScriptPluginOptions,
): string {
	if (prepared === undefined) {
		return "";
	}
	const { file, services, comments, references } = prepared;
	const importer = outputPath(file, target);
	const source = new Source(
		(module) => modulePath(module, importer, options),
		[
			...parameterNames,
			...services.flatMap(({ names }) => Object.values(names)),
		],
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
			...(options.emit === "server" ? [] : clientHalf(context)),
			...(options.emit === "client" ? [] : serverHalf(context)),
		];
		for (const [nth, print] of constructs.entries()) {
			if (index + nth > 0) {
				source.print();
			}
			print(context);
		}
	}
	return source.text();
}
