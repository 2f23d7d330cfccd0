import type {
	DescEnum,
	DescExtension,
	DescFile,
	DescMessage,
	DescMethod,
	DescService,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { safeIdentifier } from "@bufbuild/protoplugin";

type Described =
	| DescEnum
	| DescExtension
	| DescFile
	| DescMessage
	| DescService;

/** The names that protoc-gen-es exports for one proto file. */
export interface MessageNames {
	/** The name of the type of a message or an enum. */
	shape(type: DescMessage | DescEnum): string;
	/** The name of the descriptor: for a message or an enum, its schema. */
	schema(desc: Described): string;
	/** All of these names. */
	readonly taken: ReadonlySet<string>;
}

/** The names that protoc-gen-homing declares for one service. */
export interface ServiceNames {
	readonly client: string;
	readonly factory: string;
	readonly server: string;
	readonly register: string;
	readonly unimplemented: string;
	/** The constant with the policies of the service. It is not exported. */
	readonly policies: string;
}

/**
 * Computes the names that protoc-gen-es gives to everything in a file, all at
 * once. protoplugin would compute all of them again for each single name.
 */
export function messageNames(file: DescFile): MessageNames {
	const taken = new Set<string>();
	const types = [...nestedTypes(file)];
	const shapes = new Map<Described, string>();
	for (const type of types) {
		if (type.kind === "message" || type.kind === "enum") {
			shapes.set(type, take(taken, esIdentifier(type), esSalt));
		}
	}
	const schemas = new Map<Described, string>();
	schemas.set(
		file,
		take(taken, `file_${file.name.replace(/[^a-zA-Z0-9_]+/g, "_")}`, esSalt),
	);
	for (const type of types) {
		const suffix =
			type.kind === "message" || type.kind === "enum" ? "Schema" : "";
		schemas.set(type, take(taken, esIdentifier(type) + suffix, esSalt));
	}
	return {
		shape: (type) => known(shapes, type),
		schema: (desc) => known(schemas, desc),
		taken,
	};
}

/**
 * Computes the names that protoc-gen-homing gives. A name that a message or
 * another service already has gets a `$`. The services are named in the order of
 * the file, so that a service added at its end does not rename the others.
 */
export function serviceNames(
	file: DescFile,
	messages: MessageNames,
): (service: DescService) => ServiceNames {
	const taken = new Set(messages.taken);
	const own = (name: string): string => take(taken, name, dollars);
	const names = new Map(
		file.services.map((service): [DescService, ServiceNames] => [
			service,
			{
				client: own(`${service.name}Client`),
				factory: own(`New${service.name}Client`),
				server: own(`${service.name}Server`),
				register: own(`Register${service.name}Server`),
				unimplemented: own(`Unimplemented${service.name}Server`),
				policies: own(`${service.name}Policies`),
			},
		]),
	);
	return (service) => known(names, service);
}

/**
 * Returns the name of a method on the client. A method named `then` would make
 * the client a thenable, which `await` calls, and `__proto__` is not an ordinary
 * property: both get a `$`. No other method has the resulting name, because proto
 * identifiers contain no `$`.
 */
export function clientMethodName(method: DescMethod): string {
	return method.localName === "then" || method.localName === "__proto__"
		? `${method.localName}$`
		: method.localName;
}

/**
 * Checks that the methods of a service have different names in TypeScript.
 *
 * @throws Error if two methods would have the same name, as `Get` and `get` would
 */
export function assertDistinctMethods(service: DescService): void {
	const seen = new Map<string, DescMethod>();
	for (const method of service.methods) {
		const other = seen.get(method.localName);
		if (other !== undefined) {
			throw new Error(
				`${service.file.proto.name}: ${service.typeName}: methods ${other.name} and ${method.name} would both be called ${method.localName} in TypeScript; rename one of them`,
			);
		}
		seen.set(method.localName, method);
	}
}

function take(
	taken: Set<string>,
	ideal: string,
	salt: (attempt: number) => string,
): string {
	for (let attempt = 0; ; attempt++) {
		const name = safeIdentifier(ideal + salt(attempt));
		if (!taken.has(name)) {
			taken.add(name);
			return name;
		}
	}
}

function known<Desc extends Described, Name>(
	names: ReadonlyMap<Desc, Name>,
	desc: Desc,
): Name {
	const name = names.get(desc);
	if (name === undefined) {
		throw new Error(`${desc.toString()} has no name`);
	}
	return name;
}

/** The suffixes that protoc-gen-es tries in turn: Foo, Foo$, Foo$1, Foo$2. */
function esSalt(attempt: number): string {
	return attempt < 2 ? "$".repeat(attempt) : `$${attempt - 1}`;
}

function dollars(attempt: number): string {
	return "$".repeat(attempt);
}

/** The type's name without the package, with `_` between a nested type and the type that contains it. */
function esIdentifier(type: Exclude<Described, DescFile>): string {
	const scope = type.file.proto.package;
	return type.typeName
		.slice(scope === "" ? 0 : scope.length + 1)
		.replaceAll(".", "_");
}
