import {
	createImportSymbol,
	type GeneratedFile,
	type ImportSymbol,
	type Printable,
} from "@bufbuild/protoplugin";

/**
 * One generated file, line by line.
 *
 * protoplugin writes the imports, and gives an import another name where two
 * would have the same; but it takes its time over every part that it is given.
 * So it gets text in large pieces, and an import only until its name is
 * settled: when the file declares no such name itself, and no import before has
 * it.
 */
export class Source {
	readonly #f: GeneratedFile;
	readonly #module: string;
	readonly #declared: ReadonlySet<string>;
	/** The id of the import that goes by a name. */
	readonly #settled = new Map<string, string>();
	readonly #pieces: Printable[] = [];
	#text = "";

	/**
	 * @param path of the file, with the extension js
	 * @param declared all names that the file may export or declare
	 */
	constructor(f: GeneratedFile, path: string, declared: ReadonlySet<string>) {
		this.#f = f;
		this.#module = `./${path}`;
		this.#declared = declared;
	}

	/** Adds a line. */
	print(...parts: readonly Printable[]): void {
		for (const part of parts) {
			this.#add(part);
		}
		this.#text += "\n";
	}

	/** Hands everything over to protoplugin. */
	end(): void {
		if (this.#text !== "") {
			this.#f.print(this.#pieces, this.#text.replace(/\n$/, ""));
		}
	}

	export(declaration: string, name: string): Printable {
		return this.#f.export(declaration, name);
	}

	/** A name that the file declares without exporting it. */
	local(name: string): ImportSymbol {
		if (!this.#declared.has(name)) {
			throw new Error(`${name} is not among the declared names`);
		}
		return createImportSymbol(name, this.#module);
	}

	#add(part: Printable): void {
		if (typeof part === "string") {
			this.#text += part;
		} else if (Array.isArray(part)) {
			for (const inner of part) {
				this.#add(inner);
			}
		} else if (isImport(part) && this.#isSettled(part)) {
			this.#text += part.name;
		} else {
			this.#pieces.push(this.#text, part);
			this.#text = "";
		}
	}

	/** From its second use on. */
	#isSettled({ name, id }: ImportSymbol): boolean {
		if (this.#declared.has(name)) {
			return false;
		}
		const owner = this.#settled.get(name);
		if (owner === undefined) {
			this.#settled.set(name, id);
		}
		return owner === id;
	}
}

function isImport(part: Printable): part is ImportSymbol {
	return (
		typeof part === "object" && "kind" in part && part.kind === "es_symbol"
	);
}
