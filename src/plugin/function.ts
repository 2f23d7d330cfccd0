import type { ImportSymbol, Printable } from "@bufbuild/protoplugin";
import type { ServiceContext } from "./service-context.ts";

/** The names of all parameters, which imports must not have. */
export const parameters = [
	"target",
	"options",
	"registrar",
	"implementation",
] as const;

export interface Parameter {
	readonly name: ImportSymbol;
	readonly optional?: boolean;
	readonly type: Printable;
}

/** An exported function of one statement. */
export interface GeneratedFunction {
	readonly name: string;
	readonly parameters: readonly Parameter[];
	readonly result: Printable;
	readonly statement: Printable;
}

/**
 * Prints the function: whole in TypeScript, without types in JavaScript,
 * without its statement in a declaration.
 */
export function printFunction(
	{ f, target }: ServiceContext,
	{ name, parameters, result, statement }: GeneratedFunction,
): void {
	if (target === "dts") {
		const declared = f.export("declare function", name);
		f.print(declared, "(", typed(parameters), "): ", result, ";");
		return;
	}
	const declared = f.export("function", name);
	if (target === "ts") {
		f.print(declared, "(", typed(parameters), "): ", result, " {");
	} else {
		f.print(declared, "(", plain(parameters), ") {");
	}
	f.print("  ", statement);
	f.print("}");
}

function typed(parameters: readonly Parameter[]): Printable {
	return commaSeparated(
		parameters.map(({ name, optional, type }) => [
			name,
			optional === true ? "?: " : ": ",
			type,
		]),
	);
}

function plain(parameters: readonly Parameter[]): Printable {
	return commaSeparated(parameters.map(({ name }) => name));
}

function commaSeparated(items: readonly Printable[]): Printable {
	return items.flatMap((item, index) => (index > 0 ? [", ", item] : [item]));
}
