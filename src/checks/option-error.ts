/** Why an option was refused: it is missing, its name is not known, or its value is wrong. */
export type OptionErrorKind = "missing" | "unknown" | "invalid";

/**
 * Thrown when an option, a target, a policy or a service config is bad, at the
 * moment it is given. The message names the option, says what is wrong with its
 * value, and what to write instead.
 */
export class OptionError extends TypeError {
	override readonly name = "OptionError";
	/** The path to the option: `serviceConfig.methodConfig[0].timeout`. */
	readonly option: string;
	/** The message without the option's name. */
	readonly problem: string;
	readonly kind: OptionErrorKind;

	constructor(
		option: string,
		problem: string,
		kind: OptionErrorKind = "invalid",
	) {
		super(option === "" ? problem : `${option}: ${problem}`);
		this.option = option;
		this.problem = problem;
		this.kind = kind;
	}
}

/** A value as an error message shows it: short, on one line, strings in quotes. */
export function shown(value: unknown): string {
	if (typeof value === "function") {
		return "a function";
	}
	if (typeof value === "bigint") {
		return `${value}n`;
	}
	if (typeof value !== "object" || value === null) {
		return clipped(
			typeof value === "string" ? JSON.stringify(value) : String(value),
		);
	}
	if (Array.isArray(value)) {
		return value.length === 0 ? "an empty list" : "a list";
	}
	const maker: unknown = Object.getPrototypeOf(value)?.constructor;
	return typeof maker === "function" && maker !== Object && maker.name !== ""
		? `an object of class ${maker.name}`
		: "an object";
}

function clipped(text: string): string {
	return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
