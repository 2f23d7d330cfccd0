/** Why an option was refused: it is missing, its name is unknown, or its value is invalid. */
export type OptionErrorKind = "missing" | "unknown" | "invalid";

/**
 * Thrown for an invalid option, target, policy or service config, as soon as it
 * is given. The message names the option and says what is wrong with its value
 * and what to write instead.
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

/** Formats any value for an error message: short, on one line, with strings in quotes. */
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
