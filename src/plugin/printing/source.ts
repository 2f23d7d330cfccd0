import { literal } from "./literal.ts";

/** Something that generated code imports. A run has one object for each import. */
export interface Import {
	readonly name: string;
	/** A package, or a path from the root of the output. */
	readonly from: string;
	readonly typeOnly: boolean;
}

/**
 * Collects the lines and the imports of one generated file.
 *
 * It does not use protoplugin's imports, because those are slow for each use, and
 * are sorted by the language of the user.
 */
export class Source {
	readonly #pathOf: (module: string) => string;
	readonly #commentOf: (module: string) => string;
	readonly #taken: Set<string>;
	readonly #identifiers = new Map<Import, string>();
	#body = "";

	/**
	 * @param pathOf returns the module specifier to write after `from`
	 * @param declared all names that the file may declare itself
	 * @param commentOf returns the comment to write after the imports of a module; "" for no comment
	 */
	constructor(
		pathOf: (module: string) => string,
		declared: Iterable<string>,
		commentOf: (module: string) => string = () => "",
	) {
		this.#pathOf = pathOf;
		this.#commentOf = commentOf;
		this.#taken = new Set(declared);
	}

	/** Adds a line. */
	print(line = ""): void {
		this.#body += `${line}\n`;
	}

	/** Imports something, and returns its name in this file. */
	use(imported: Import): string {
		let identifier = this.#identifiers.get(imported);
		if (identifier === undefined) {
			identifier = imported.name;
			// Other names contain a `$` before a digit only after a collision, so that few attempts are needed.
			for (let n = 1; this.#taken.has(identifier); n++) {
				identifier = `${imported.name}$${n}`;
			}
			this.#taken.add(identifier);
			this.#identifiers.set(imported, identifier);
		}
		return identifier;
	}

	/** Returns the imports and the lines; "" if there are no lines. */
	text(): string {
		return this.#body === "" ? "" : `${this.#imports()}\n${this.#body}`;
	}

	/** Formats the imports: packages before files, and for each module the types before the values. */
	#imports(): string {
		const modules = new Map<string, Record<"types" | "values", string[]>>();
		for (const [{ name, from, typeOnly }, identifier] of this.#identifiers) {
			const module = modules.get(from) ?? { types: [], values: [] };
			modules.set(from, module);
			module[typeOnly ? "types" : "values"].push(
				name === identifier ? name : `${name} as ${identifier}`,
			);
		}
		return [...modules]
			.map(([from, names]) => ({
				path: this.#pathOf(from),
				comment: this.#commentOf(from),
				names,
			}))
			.sort(byPath)
			.flatMap(({ path, comment, names: { types, values } }) => [
				statement("import type", types, path, comment),
				statement("import", values, path, comment),
			])
			.join("");
	}
}

function byPath(
	{ path: a }: { path: string },
	{ path: b }: { path: string },
): number {
	const files = Number(a.startsWith(".")) - Number(b.startsWith("."));
	return files || (a < b ? -1 : 1);
}

function statement(
	keyword: string,
	names: readonly string[],
	path: string,
	comment: string,
): string {
	return names.length === 0
		? ""
		: `${keyword} { ${names.toSorted().join(", ")} } from ${literal(path)};${comment === "" ? "" : ` // ${comment}`}\n`;
}
