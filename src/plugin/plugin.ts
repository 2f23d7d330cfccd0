import type { DescFile } from "@bufbuild/protobuf";
import type {
	CodeGeneratorRequest,
	CodeGeneratorResponse,
} from "@bufbuild/protobuf/wkt";
import {
	createEcmaScriptPlugin,
	type EcmaScriptPluginOptions,
	type Schema,
	type Target,
} from "@bufbuild/protoplugin";
import { VERSION } from "../version.ts";
import { modulePath } from "./module-path.ts";
import {
	assertStandardValues,
	type HomingOptions,
	parseHomingOptions,
} from "./options.ts";
import { outputPath } from "./output-path.ts";
import type { Warn } from "./policies/unknown-name.ts";
import { type PreparedFile, prepareFiles } from "./prepared-file.ts";
import { clientHalf } from "./printing/client-half.ts";
import { parameterNames } from "./printing/function.ts";
import { serverHalf } from "./printing/server-half.ts";
import type { ServiceContext } from "./printing/service-context.ts";
import { Source } from "./printing/source.ts";

export const name = "protoc-gen-homing";
export const version: string = `v${VERSION}`;

/** Generates `<file>_rpc.ts`, or `.js` and `.d.ts`, for each proto file that has a service. */
export function protocGenHoming(
	request: CodeGeneratorRequest,
	warn: Warn,
): CodeGeneratorResponse {
	const print = (schema: Schema<HomingOptions>, target: Target): void =>
		generate(schema, target, warn);
	const plugin = createEcmaScriptPlugin({
		name,
		version,
		parseOptions: parseHomingOptions,
		generateTs: print,
		generateJs: print,
		generateDts: print,
	});
	assertStandardValues(request.parameter);
	return plugin.run(withDefaultTarget(request));
}

/** Sets the default target to TypeScript. protoplugin's own default is JavaScript with declarations. */
function withDefaultTarget(
	request: CodeGeneratorRequest,
): CodeGeneratorRequest {
	const options = request.parameter === "" ? [] : request.parameter.split(",");
	if (!options.some((option) => option.startsWith("target="))) {
		request.parameter = [...options, "target=ts"].join(",");
	}
	return request;
}

/** What is computed once for all targets of a run. */
const prepared = new WeakMap<Schema, ReadonlyMap<DescFile, PreparedFile>>();

function generate(
	schema: Schema<HomingOptions>,
	target: Target,
	warn: Warn,
): void {
	for (const file of schema.files) {
		const f = schema.generateFile(outputPath(file, target));
		const files = prepared.get(schema) ?? prepareFiles(schema, f, warn);
		prepared.set(schema, files);
		f.preamble(file);
		const text = servicesOf(files.get(file), target, schema.options);
		if (text !== "") {
			f.print(text.trimEnd());
		}
	}
}

/**
 * The comment on an import of messages. TypeScript and bundlers show that line when the module is missing, so it says what
 * writes the module.
 */
function importComment(module: string): string {
	return /^\..*_pb\.js$/.test(module) ? "by protoc-gen-es: run it, too" : "";
}

/** Returns the text of a generated file below its preamble. */
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
		importComment,
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
