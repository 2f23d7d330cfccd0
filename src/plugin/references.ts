import type { DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { wktPublicImportPaths } from "@bufbuild/protobuf/codegenv2";
import { createImportSymbol, type ImportSymbol } from "@bufbuild/protoplugin";
import { type MessageNames, messageNames } from "./names.ts";

interface MessageSymbols {
	/** The type of the message. */
	readonly shape: ImportSymbol;
	/** Its descriptor, to stand behind `typeof`. */
	readonly schemaType: ImportSymbol;
}

/**
 * Refers generated code to what protoc-gen-es exports. The names and the module
 * of a proto file are worked out once in a run.
 */
export class References {
	readonly #mapped: ((file: DescFile) => string) | undefined;
	readonly #names = new Map<DescFile, MessageNames>();
	readonly #modules = new Map<DescFile, string>();
	readonly #symbols = new Map<DescMessage, MessageSymbols>();

	/** @param mapped the module of a file, where the user maps some to modules of their own */
	constructor(mapped: ((file: DescFile) => string) | undefined) {
		this.#mapped = mapped;
	}

	message(message: DescMessage): MessageSymbols {
		let symbols = this.#symbols.get(message);
		if (symbols === undefined) {
			const names = this.names(message.file);
			const from = this.#module(message.file);
			symbols = {
				shape: createImportSymbol(names.shape(message), from, true),
				schemaType: createImportSymbol(names.schema(message), from, true),
			};
			this.#symbols.set(message, symbols);
		}
		return symbols;
	}

	/** The descriptor of a service. */
	service(service: DescService): ImportSymbol {
		const name = this.names(service.file).schema(service);
		return createImportSymbol(name, this.#module(service.file));
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
