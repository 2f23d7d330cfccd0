import type { DescFile, DescService } from "@bufbuild/protobuf";
import type { Schema } from "@bufbuild/protoplugin";
import { type BakedPolicies, bakedPolicies } from "./baked-policies.ts";
import { Comments } from "./comments.ts";
import { ConfigFiles } from "./config-files.ts";
import {
	assertDistinctMethods,
	type ServiceNames,
	serviceNames,
} from "./names.ts";
import type { HomingOptions } from "./options.ts";
import { ProtoOptions } from "./proto-options.ts";
import { References } from "./references.ts";

/** A file to generate, with all that is worked out once for all targets. */
export interface PreparedFile {
	readonly file: DescFile;
	readonly comments: Comments;
	readonly references: References;
	readonly services: readonly PreparedService[];
}

export interface PreparedService {
	readonly service: DescService;
	readonly names: ServiceNames;
	readonly policies: BakedPolicies | undefined;
}

/** @throws Error for what cannot be generated: colliding methods, bad policies */
export function prepareFiles(
	schema: Schema<HomingOptions>,
): readonly PreparedFile[] {
	const references = new References();
	const protos = new ProtoOptions(schema.allFiles);
	const configs = new ConfigFiles(schema.options);
	return schema.files.map((file) => {
		const comments = new Comments(file);
		const names = serviceNames(file, references.names(file));
		return {
			file,
			comments,
			references,
			services: file.services.map((service) => {
				assertDistinctMethods(service);
				return {
					service,
					names: names(service),
					policies: bakedPolicies(service, comments, protos, configs),
				};
			}),
		};
	});
}
