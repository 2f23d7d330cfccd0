const WIDTH = 80;

/**
 * Returns the source code of a JSON value, for TypeScript and JavaScript. It is
 * on one line if it fits, and otherwise has a line for each member.
 *
 * @param indentation the indentation of the line on which the literal starts
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

/** Escapes U+2028 and U+2029. They are legal in a string, but editors and older parsers take them for line ends. */
function quoted(value: unknown): string {
	return JSON.stringify(value)
		.replaceAll("\u2028", "\\u2028")
		.replaceAll("\u2029", "\\u2029");
}

/** Returns the source code of a property name. A plain `__proto__:` would set the prototype. */
function propertyName(key: string): string {
	if (key === "__proto__") {
		return '["__proto__"]';
	}
	return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key);
}
