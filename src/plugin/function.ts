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

/** An exported function of one statement. */
export interface GeneratedFunction {
	readonly name: string;
	readonly parameters: readonly Parameter[];
	readonly result: string;
	/** Only asked for where it is printed. */
	readonly statement: () => string;
}

/**
 * Prints the function: whole in TypeScript, without types in JavaScript,
 * without its statement in a declaration.
 */
export function printFunction(
	{ f, target }: ServiceContext,
	{ name, parameters, result, statement }: GeneratedFunction,
): void {
	switch (target) {
		case "ts":
			f.print(`export function ${name}(${typed(parameters)}): ${result} {`);
			f.print(`  ${statement()}`);
			f.print("}");
			break;
		case "js":
			f.print(`export function ${name}(${plain(parameters)}) {`);
			f.print(`  ${statement()}`);
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
