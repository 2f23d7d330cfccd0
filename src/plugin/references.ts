import type { DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { wktPublicImportPaths } from "@bufbuild/protobuf/codegenv2";
import type { GeneratedFile, ImportSymbol } from "@bufbuild/protoplugin";
import { type MessageNames, messageNames } from "./names.ts";

/**
 * Refers generated code to what protoc-gen-es exports, working out the names
 * and the module of a proto file once in a run.
 */
export class References {
	readonly #names = new Map<DescFile, MessageNames>();
	readonly #modules = new Map<DescFile, string>();

	/** The type of a message. */
	shape(f: GeneratedFile, message: DescMessage): ImportSymbol {
		const name = this.names(message.file).shape(message);
		return f.import(name, this.#module(f, message.file), true);
	}

	/** The descriptor of a message, to stand behind `typeof`. */
	schemaType(f: GeneratedFile, message: DescMessage): ImportSymbol {
		const name = this.names(message.file).schema(message);
		return f.import(name, this.#module(f, message.file), true);
	}

	/** The descriptor of a service. */
	service(f: GeneratedFile, service: DescService): ImportSymbol {
		const name = this.names(service.file).schema(service);
		return f.import(name, this.#module(f, service.file));
	}

	names(file: DescFile): MessageNames {
		let names = this.#names.get(file);
		if (names === undefined) {
			names = messageNames(file);
			this.#names.set(file, names);
		}
		return names;
	}

	#module(f: GeneratedFile, file: DescFile): string {
		let module = this.#modules.get(file);
		if (module === undefined) {
			// protoplugin imports a well-known type from the output whenever its file
			// shares the request. Its type is the same there, and the bytes of our
			// output are so in every request.
			module =
				wktPublicImportPaths[file.proto.name] ?? f.importSchema(file).from;
			this.#modules.set(file, module);
		}
		return module;
	}
}
