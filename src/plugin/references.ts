import type { DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { wktPublicImportPaths } from "@bufbuild/protobuf/codegenv2";
import { type MessageNames, messageNames } from "./names.ts";
import type { Import } from "./printing/source.ts";

interface MessageImports {
	/** The type of the message. */
	readonly shape: Import;
	/** Its descriptor, to stand behind `typeof`. */
	readonly schemaType: Import;
}

/**
 * What generated code imports of what protoc-gen-es exports. The names and the
 * module of a proto file are worked out once in a run.
 */
export class References {
	readonly #mapped: ((file: DescFile) => string) | undefined;
	readonly #names = new Map<DescFile, MessageNames>();
	readonly #modules = new Map<DescFile, string>();
	readonly #messages = new Map<DescMessage, MessageImports>();
	readonly #services = new Map<DescService, Import>();

	/** @param mapped the module of a file, where the user maps some to modules of their own */
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
			// protoplugin imports a well-known type from the output whenever its file
			// shares the request. Its type is the same there, and the bytes of our
			// output are so in every request.
			module =
				wktPublicImportPaths[file.proto.name] ??
				this.#mapped?.(file) ??
				`./${file.name}_pb.js`;
			this.#modules.set(file, module);
		}
		return module;
	}
}
