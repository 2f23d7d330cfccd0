import type { DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { wktPublicImportPaths } from "@bufbuild/protobuf/codegenv2";
import type { GeneratedFile, ImportSymbol } from "@bufbuild/protoplugin";
import { type MessageNames, messageNames } from "./names.ts";

interface FileNames extends MessageNames {
	/** The module that protoc-gen-es writes for the file. */
	readonly from: string;
}

/**
 * Refers generated code to what protoc-gen-es exports, working out the names
 * and the module of a proto file once in a run.
 */
export class References {
	readonly #files = new Map<DescFile, FileNames>();

	/** The type of a message. */
	shape(f: GeneratedFile, message: DescMessage): ImportSymbol {
		const { shapes, from } = this.names(f, message.file);
		return f.import(known(shapes.get(message), message), from, true);
	}

	/** The descriptor of a message, to be used as `typeof …`. */
	schemaType(f: GeneratedFile, message: DescMessage): ImportSymbol {
		const { schemas, from } = this.names(f, message.file);
		return f.import(known(schemas.get(message), message), from, true);
	}

	/** The descriptor of a service. */
	service(f: GeneratedFile, service: DescService): ImportSymbol {
		const { schemas, from } = this.names(f, service.file);
		return f.import(known(schemas.get(service), service), from);
	}

	names(f: GeneratedFile, file: DescFile): FileNames {
		let names = this.#files.get(file);
		if (names === undefined) {
			// protoplugin would import a well-known type from the user's own output
			// whenever its file shares the request; the type is the same, and this
			// way so is our output.
			const from =
				wktPublicImportPaths[file.proto.name] ?? f.importSchema(file).from;
			names = { ...messageNames(file), from };
			this.#files.set(file, names);
		}
		return names;
	}
}

function known(
	name: string | undefined,
	desc: DescMessage | DescService,
): string {
	if (name === undefined) {
		throw new Error(`no name for ${desc.toString()}`);
	}
	return name;
}
