/** Why a value was refused: it is not there, its name is not known, or it is wrong. */
export type PolicyErrorKind = "missing" | "unknown" | "invalid";

/**
 * A bad option, policy or service config. The message is the path to the
 * value, what is wrong with it, and what to write instead.
 */
export class PolicyError extends TypeError {
	override readonly name = "PolicyError";
	/** Where the value stands: `serviceConfig.methodConfig[0].timeout`. */
	readonly path: string;
	/** The message without the path. */
	readonly problem: string;
	readonly kind: PolicyErrorKind;

	constructor(
		path: string,
		problem: string,
		kind: PolicyErrorKind = "invalid",
	) {
		super(path === "" ? problem : `${path}: ${problem}`);
		this.path = path;
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
