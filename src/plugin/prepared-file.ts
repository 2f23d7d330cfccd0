import type { DescFile, DescService } from "@bufbuild/protobuf";
import type { GeneratedFile, Schema } from "@bufbuild/protoplugin";
import type { BakedPolicies } from "../generated.ts";
import { Comments } from "./comments.ts";
import {
	assertDistinctMethods,
	type ServiceNames,
	serviceNames,
} from "./names.ts";
import { assertStandardOptions, type HomingOptions } from "./options.ts";
import { assertDistinctOutputs } from "./output-path.ts";
import { bakedPolicies } from "./policies/baked-policies.ts";
import { ConfigFiles } from "./policies/config-files.ts";
import { ProtoOptions } from "./policies/proto-options.ts";
import { unknownName, type Warn } from "./policies/unknown-name.ts";
import { References } from "./references.ts";

/** A file with services, and everything that is computed once for all targets. */
export interface PreparedFile {
	readonly file: DescFile;
	readonly services: readonly PreparedService[];
	readonly comments: Comments;
	readonly references: References;
}

export interface PreparedService {
	readonly service: DescService;
	readonly names: ServiceNames;
	readonly policies: BakedPolicies | undefined;
}

/**
 * Prepares the files to generate that have services.
 *
 * @param f any generated file of the run
 * @param warn is called for names in config files that do not exist
 * @throws Error for invalid options, for names that collide, and for invalid policies
 */
export function prepareFiles(
	schema: Schema<HomingOptions>,
	f: GeneratedFile,
	warn: Warn,
): ReadonlyMap<DescFile, PreparedFile> {
	const { allFiles, options } = schema;
	const files = schema.files.filter((file) => file.services.length > 0);
	assertStandardOptions(options);
	assertDistinctOutputs(files);
	const protos = new ProtoOptions(allFiles);
	const configs = new ConfigFiles(options);
	for (const name of configs.names()) {
		const problem = unknownName(name, schema.files);
		if (problem !== undefined) {
			warn(`grpc_service_config=${name.path}: ${problem}`);
		}
	}
	const references = new References(
		options.mapImports.length > 0
			? (file) => f.importSchema(file).from
			: undefined,
	);
	return new Map(
		files.map((file) => {
			const comments = new Comments(file);
			const names = serviceNames(file, references.names(file));
			const services = file.services.map((service) => {
				assertDistinctMethods(service);
				return {
					service,
					names: names(service),
					policies: bakedPolicies(service, comments, protos, configs),
				};
			});
			return [file, { file, services, comments, references }];
		}),
	);
}
