import type { DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { wktPublicImportPaths } from "@bufbuild/protobuf/codegenv2";
import { type MessageNames, messageNames } from "./names.ts";
import type { Import } from "./printing/source.ts";

interface MessageImports {
	/** The type of the message. */
	readonly shape: Import;
	/** The descriptor of the message, for use after `typeof`. */
	readonly schemaType: Import;
}

/**
 * What generated code imports from the output of protoc-gen-es. The names and
 * the module of each proto file are computed once in a run.
 */
export class References {
	readonly #mapped: ((file: DescFile) => string) | undefined;
	readonly #names = new Map<DescFile, MessageNames>();
	readonly #modules = new Map<DescFile, string>();
	readonly #messages = new Map<DescMessage, MessageImports>();
	readonly #services = new Map<DescService, Import>();

	/** @param mapped returns the module of a file, by the option `map_imports`; undefined without that option */
	constructor(mapped: ((file: DescFile) => string) | undefined) {
		this.#mapped = mapped;
	}

	message(message: DescMessage): MessageImports {
		let imports = this.#messages.get(message);
		if (imports === undefined) {
			const names = this.names(message.file);
			const from = this.#module(message.file);
			imports = {
				shape: { name: names.shape(message), from, typeOnly: true },
				schemaType: { name: names.schema(message), from, typeOnly: true },
			};
			this.#messages.set(message, imports);
		}
		return imports;
	}

	/** The descriptor of a service. */
	service(service: DescService): Import {
		let descriptor = this.#services.get(service);
		if (descriptor === undefined) {
			descriptor = {
				name: this.names(service.file).schema(service),
				from: this.#module(service.file),
				typeOnly: false,
			};
			this.#services.set(service, descriptor);
		}
		return descriptor;
	}

	names(file: DescFile): MessageNames {
		let names = this.#names.get(file);
		if (names === undefined) {
			names = messageNames(file);
			this.#names.set(file, names);
		}
		return names;
	}

	#module(file: DescFile): string {
		let module = this.#modules.get(file);
		if (module === undefined) {
			// Well-known types are always imported from protobuf-es. protoplugin would
			// import them from the output if the request contains their file, so that
			// the output would depend on what else is generated.
			module =
				wktPublicImportPaths[file.proto.name] ??
				this.#mapped?.(file) ??
				`./${file.name}_pb.js`;
			this.#modules.set(file, module);
		}
		return module;
	}
}
