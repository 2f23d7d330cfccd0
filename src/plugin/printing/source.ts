import { literal } from "./literal.ts";

/** Something that generated code imports. Of each there is one object in a run. */
export interface Import {
	readonly name: string;
	/** A package, or a path from the root of the output. */
	readonly from: string;
	readonly typeOnly: boolean;
}

/**
 * One generated file, line by line.
 *
 * It keeps the imports itself: protoplugin takes its time over every use of
 * one, and sorts them by the language of the user.
 */
export class Source {
	readonly #pathOf: (module: string) => string;
	readonly #noteOn: (module: string) => string;
	readonly #taken: Set<string>;
	readonly #identifiers = new Map<Import, string>();
	#body = "";

	/**
	 * @param pathOf what to write behind `from` for a module
	 * @param declared all names that the file may declare itself
	 * @param noteOn a comment for the imports of a module, for who reads that it is not there; "" for none
	 */
	constructor(
		pathOf: (module: string) => string,
		declared: Iterable<string>,
		noteOn: (module: string) => string = () => "",
	) {
		this.#pathOf = pathOf;
		this.#noteOn = noteOn;
		this.#taken = new Set(declared);
	}

	/** Adds a line. */
	print(line = ""): void {
		this.#body += `${line}\n`;
	}

	/** Imports something, and gives the name by which this file knows it. */
	use(imported: Import): string {
		let identifier = this.#identifiers.get(imported);
		if (identifier === undefined) {
			identifier = imported.name;
			// No name of a proto's or of ours has a `$` before a digit but by collision.
			for (let n = 1; this.#taken.has(identifier); n++) {
				identifier = `${imported.name}$${n}`;
			}
			this.#taken.add(identifier);
			this.#identifiers.set(imported, identifier);
		}
		return identifier;
	}

	/** The imports and the lines; nothing if there is no line. */
	text(): string {
		return this.#body === "" ? "" : `${this.#imports()}\n${this.#body}`;
	}

	/** Packages before files; of each the types before the values. */
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
				note: this.#noteOn(from),
				names,
			}))
			.sort(byPath)
			.flatMap(({ path, note, names: { types, values } }) => [
				statement("import type", types, path, note),
				statement("import", values, path, note),
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
	note: string,
): string {
	return names.length === 0
		? ""
		: `${keyword} { ${names.toSorted().join(", ")} } from ${literal(path)};${note === "" ? "" : ` // ${note}`}\n`;
}
