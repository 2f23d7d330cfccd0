import {
	type DescEnum,
	type DescField,
	type DescMessage,
	type DescOneof,
	ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { nearMiss } from "../checks/near-miss.ts";
import { shown } from "../checks/option-error.ts";

/** Describes what is wrong with a value, to follow the path to it; undefined if the value is valid. */
type Check = (value: unknown) => string | undefined;

const checks = new WeakMap<DescMessage, Check>();

/** How many fields an error lists when no field name is similar. */
const NAMED = 12;

/**
 * Finds the first problem with the fields that a message is to be created from, as "items[2].price: …": a field that the
 * message does not have, or a value that would be sent as something else, or not at all. Returns undefined if all are
 * valid; fields that are undefined or null count as absent. `create` of protobuf-es leaves these checks to the TypeScript
 * compiler, and plain JavaScript has none.
 */
export function problemOfInit(
	schema: DescMessage,
	init: object,
): string | undefined {
	return checkOf(schema)(init);
}

/** Built once for each message type. Types may contain each other. */
function checkOf(schema: DescMessage): Check {
	let check = checks.get(schema);
	if (check === undefined) {
		const members = new Map<string, Check>();
		check = (init) => problemOfMembers(schema, members, init as object);
		checks.set(schema, check);
		for (const member of schema.members) {
			members.set(
				member.localName,
				member.kind === "oneof" ? oneofCheck(member) : fieldCheck(member),
			);
		}
	}
	return check;
}

function problemOfMembers(
	schema: DescMessage,
	members: ReadonlyMap<string, Check>,
	init: object,
): string | undefined {
	for (const name in init) {
		const value = (init as Record<string, unknown>)[name];
		if (value === undefined || value === null) continue;
		const check = members.get(name);
		if (check === undefined) {
			// Names of protobuf-es itself.
			if (name.startsWith("$")) continue;
			return unknownField(schema, members, name);
		}
		const problem = check(value);
		if (problem !== undefined) return `${name}${problem}`;
	}
	return undefined;
}

function unknownField(
	schema: DescMessage,
	members: ReadonlyMap<string, Check>,
	name: string,
): string {
	const field = schema.fields.find(({ localName }) => localName === name);
	if (field?.oneof !== undefined) {
		return `${name}: belongs to a oneof; write ${field.oneof.localName}: { case: "${name}", value: … }`;
	}
	const what = `${name}: is not a field of ${schema.typeName}`;
	const names = [...members.keys()];
	const meant = nearMiss(name, names);
	if (meant !== undefined) return `${what}; did you mean ${meant}?`;
	if (names.length === 0) return `${what}, which has none`;
	const more = names.length > NAMED ? " and others" : "";
	return `${what}, which has ${names.slice(0, NAMED).join(", ")}${more}`;
}

function fieldCheck(field: DescField): Check {
	switch (field.fieldKind) {
		case "list":
			return listCheck(valueCheck(field));
		case "map":
			return mapCheck(valueCheck(field));
		default:
			return valueCheck(field);
	}
}

/** Checks the value of a field, or each value of a list or a map. */
function valueCheck(field: DescField): Check {
	if (field.enum !== undefined) return enumCheck(field.enum);
	if (field.message === undefined) {
		return scalarCheck(field.scalar as ScalarType);
	}
	const { message } = field;
	// In protobuf-es, a wrapper is the value itself, and a Struct is JSON.
	if (field.fieldKind === "message" && !field.oneof && isWrapperDesc(message)) {
		return scalarCheck(message.fields[0].scalar as ScalarType);
	}
	if (
		message.typeName === "google.protobuf.Struct" &&
		field.parent.typeName !== "google.protobuf.Value"
	) {
		return (value) => (isRecord(value) ? undefined : not(value, "an object"));
	}
	return messageCheck(message);
}

function messageCheck(schema: DescMessage): Check {
	let fields: Check | undefined;
	return (value) => {
		if (!isRecord(value)) return not(value, `a ${schema.typeName}`);
		const typeName = (value as { $typeName?: unknown }).$typeName;
		if (typeName === schema.typeName) return undefined;
		if (typeName !== undefined) {
			return `: it is a ${String(typeName)}, not a ${schema.typeName}`;
		}
		if (value instanceof Date) {
			return schema.typeName === "google.protobuf.Timestamp"
				? ": a Date is not a google.protobuf.Timestamp; write timestampFromDate(…) of @bufbuild/protobuf/wkt"
				: not(value, `a ${schema.typeName}`);
		}
		fields ??= checkOf(schema);
		const problem = fields(value);
		return problem && `.${problem}`;
	};
}

function oneofCheck(oneof: DescOneof): Check {
	const cases = new Map(
		oneof.fields.map((field) => [field.localName, valueCheck(field)]),
	);
	return (value) => {
		const given = value as { case?: unknown; value?: unknown };
		const name = isRecord(value) && "case" in given ? given.case : null;
		if (name === undefined) return undefined;
		const check = cases.get(name as string);
		if (check === undefined) {
			const meant = typeof name === "string" && nearMiss(name, cases.keys());
			const names = [...cases.keys()].map((one) => `"${one}"`).join(", ");
			return name === null
				? `: ${shown(value)} is not a oneof; write { case: …, value: … }, the case being one of ${names}`
				: `.case: ${shown(name)} is not a case of it${meant ? `; did you mean "${meant}"?` : `; the cases are ${names}`}`;
		}
		const inner = given.value;
		if (inner === undefined || inner === null) return undefined;
		const problem = check(inner);
		return problem && `.value${problem}`;
	};
}

function listCheck(check: Check): Check {
	return (value) => {
		// A typed array of numbers is encoded as a list is.
		if (!Array.isArray(value) && !ArrayBuffer.isView(value)) {
			return not(value, "an array");
		}
		const items = value as ArrayLike<unknown>;
		for (let i = 0; i < items.length; i++) {
			const problem = check(items[i]);
			if (problem !== undefined) return `[${i}]${problem}`;
		}
		return undefined;
	};
}

function mapCheck(check: Check): Check {
	return (value) => {
		if (value instanceof Map) {
			return ": a Map is not a plain object; write Object.fromEntries(…)";
		}
		if (!isRecord(value)) return not(value, "an object");
		for (const key in value) {
			const problem = check((value as Record<string, unknown>)[key]);
			if (problem !== undefined) return `[${JSON.stringify(key)}]${problem}`;
		}
		return undefined;
	};
}

function enumCheck({ typeName, values }: DescEnum): Check {
	return (value) => {
		if (typeof value === "number") return undefined;
		const meant = values.find(
			({ name, localName }) => name === value || localName === value,
		);
		return `: ${shown(value)} is not a number of the enum ${typeName}${meant ? `; ${meant.name} is ${meant.number}` : ""}`;
	};
}

function scalarCheck(scalar: ScalarType): Check {
	switch (scalar) {
		case ScalarType.STRING:
			return (value) =>
				typeof value === "string" ? undefined : not(value, "a string");
		case ScalarType.BOOL:
			return (value) =>
				typeof value === "boolean" ? undefined : not(value, "true or false");
		case ScalarType.BYTES:
			return (value) =>
				ArrayBuffer.isView(value) || Array.isArray(value)
					? undefined
					: not(value, "a Uint8Array");
		case ScalarType.INT64:
		case ScalarType.UINT64:
		case ScalarType.SINT64:
		case ScalarType.FIXED64:
		case ScalarType.SFIXED64:
			// `jstype = JS_STRING` asks for a string. Encoding finds out whether it is a number, and fits.
			return (value) =>
				typeof value === "bigint" ||
				typeof value === "number" ||
				typeof value === "string"
					? undefined
					: not(value, "a bigint");
		default:
			return (value) =>
				typeof value === "number" ? undefined : not(value, "a number");
	}
}

function isRecord(value: unknown): value is object {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function not(value: unknown, wanted: string): string {
	return `: ${shown(value)} is not ${wanted}`;
}
