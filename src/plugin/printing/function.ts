import type { ServiceContext } from "./service-context.ts";

/** The names of all parameters. Imports must not use them. */
export const parameterNames = [
	"target",
	"options",
	"registrar",
	"implementation",
] as const;

export interface Parameter {
	readonly name: (typeof parameterNames)[number];
	readonly optional?: boolean;
	/** Returns the type. Called only if the type is printed, so that nothing is imported in vain. */
	readonly type: () => string;
}

/** An exported function. */
export interface GeneratedFunction {
	readonly name: string;
	readonly parameters: readonly Parameter[];
	readonly result: string;
	/** Returns one line for each statement. Called only if they are printed. */
	readonly statements: () => readonly string[];
}

/**
 * Prints a function: completely in TypeScript, without types in JavaScript, and
 * without its statements in a declaration file.
 */
export function printFunction(
	{ f, target }: ServiceContext,
	{ name, parameters, result, statements }: GeneratedFunction,
): void {
	switch (target) {
		case "ts":
			f.print(`export function ${name}(${typed(parameters)}): ${result} {`);
			for (const line of statements()) f.print(`  ${line}`);
			f.print("}");
			break;
		case "js":
			f.print(`export function ${name}(${plain(parameters)}) {`);
			for (const line of statements()) f.print(`  ${line}`);
			f.print("}");
			break;
		case "dts":
			f.print(
				`export declare function ${name}(${typed(parameters)}): ${result};`,
			);
			break;
	}
}

function typed(parameters: readonly Parameter[]): string {
	return parameters
		.map(
			({ name, optional, type }) => `${name}${optional ? "?" : ""}: ${type()}`,
		)
		.join(", ");
}

function plain(parameters: readonly Parameter[]): string {
	return parameters.map(({ name }) => name).join(", ");
}
