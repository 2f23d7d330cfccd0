const WIDTH = 80;

/**
 * The source of a JSON value, for TypeScript and JavaScript alike: on one line
 * where it fits, else with a line for each member.
 *
 * @param indentation of the line that the literal starts on
 */
export function literal(value: unknown, indentation = ""): string {
	const line = oneLine(value);
	if (!isNested(value) || indentation.length + line.length <= WIDTH) {
		return line;
	}
	const inner = `${indentation}  `;
	const [open, close] = Array.isArray(value) ? "[]" : "{}";
	const members = Array.isArray(value)
		? value.map((item) => literal(item, inner))
		: Object.entries(value).map(
				([key, item]) => `${propertyName(key)}: ${literal(item, inner)}`,
			);
	return [
		open,
		...members.map((member) => `${inner}${member},`),
		`${indentation}${close}`,
	].join("\n");
}

function oneLine(value: unknown): string {
	if (Array.isArray(value)) {
		return `[${value.map(oneLine).join(", ")}]`;
	}
	if (!isNested(value)) {
		return quoted(value);
	}
	const members = Object.entries(value).map(
		([key, item]) => `${propertyName(key)}: ${oneLine(item)}`,
	);
	return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}

function isNested(value: unknown): value is object {
	return typeof value === "object" && value !== null;
}

/** Line separators are legal in a string, but editors and older parsers take them for line ends. */
function quoted(value: unknown): string {
	return JSON.stringify(value)
		.replaceAll("\u2028", "\\u2028")
		.replaceAll("\u2029", "\\u2029");
}

/** A plain `__proto__:` would set the prototype. */
function propertyName(key: string): string {
	if (key === "__proto__") {
		return '["__proto__"]';
	}
	return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key);
}
