import type { ServiceContext } from "./service-context.ts";

/** The names of all parameters, which imports must not have. */
export const parameterNames = [
	"target",
	"options",
	"registrar",
	"implementation",
] as const;

export interface Parameter {
	readonly name: (typeof parameterNames)[number];
	readonly optional?: boolean;
	/** Only asked for where it is printed, so that nothing else is imported. */
	readonly type: () => string;
}

/** An exported function. */
export interface GeneratedFunction {
	readonly name: string;
	readonly parameters: readonly Parameter[];
	readonly result: string;
	/** A line each. Only asked for where they are printed. */
	readonly statements: () => readonly string[];
}

/**
 * Prints the function: whole in TypeScript, without types in JavaScript,
 * without its statements in a declaration.
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
