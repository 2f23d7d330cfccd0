import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type {
	GeneratedFile,
	ImportSymbol,
	Target,
} from "@bufbuild/protoplugin";
import type { Comments } from "./comments.ts";
import type { PreparedService } from "./prepared-file.ts";
import type { References } from "./references.ts";

/** Prints one construct of a service. */
export type Construct = (context: ServiceContext) => void;

/** One service on its way into one generated file: what its constructs are printed from. */
export interface ServiceContext extends PreparedService {
	readonly f: GeneratedFile;
	readonly target: Target;
	readonly comments: Comments;
	readonly references: References;
	/** A name that the generated file itself declares, so that an import of the same name is given another. */
	local(name: string): ImportSymbol;
}

/** The comment of the proto on the interfaces of a service. */
export function printServiceDoc(context: ServiceContext): void {
	const { f, service, comments } = context;
	f.print(f.jsDoc(comments.jsDoc(service, isDeprecated(service))));
}

/** One sentence of our own on what else is made for a service. */
export function printDoc(context: ServiceContext, sentence: string): void {
	const { f, service } = context;
	const tag = isDeprecated(service) ? "\n\n@deprecated" : "";
	f.print(f.jsDoc(sentence + tag));
}

export function printMethodDoc(
	context: ServiceContext,
	method: DescMethod,
): void {
	const { f, comments } = context;
	f.print(f.jsDoc(comments.jsDoc(method, method.deprecated), "  "));
}

/** `new(…)` in an interface would be a construct signature. */
export function interfaceMember(name: string): string {
	return name === "new" ? '"new"' : name;
}

function isDeprecated(service: DescService): boolean {
	return service.deprecated || service.file.deprecated;
}
