import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Target } from "@bufbuild/protoplugin";
import { type Comments, jsDoc } from "../comments.ts";
import type { PreparedService } from "../prepared-file.ts";
import type { References } from "../references.ts";
import type { Source } from "./source.ts";

/** Prints one construct of a service. */
export type Construct = (context: ServiceContext) => void;

/** One service on its way into one generated file: what its constructs are printed from. */
export interface ServiceContext extends PreparedService {
	readonly f: Source;
	readonly target: Target;
	readonly comments: Comments;
	readonly references: References;
}

/** The comment of the proto on the interfaces of a service. */
export function printServiceDoc(context: ServiceContext): void {
	const { f, service, comments } = context;
	f.print(comments.jsDoc(service, isDeprecated(service)));
}

/** Lines of our own on what else is made for a service. */
export function printDoc(
	context: ServiceContext,
	...lines: readonly string[]
): void {
	const { f, service } = context;
	const tag = isDeprecated(service) ? ["", "@deprecated"] : [];
	f.print(jsDoc([...lines, ...tag]));
}

export function printMethodDoc(
	context: ServiceContext,
	method: DescMethod,
): void {
	const { f, comments } = context;
	f.print(comments.jsDoc(method, method.deprecated, "  "));
}

/** `new(…)` in an interface would be a construct signature. */
export function interfaceMember(name: string): string {
	return name === "new" ? '"new"' : name;
}

function isDeprecated(service: DescService): boolean {
	return service.deprecated || service.file.deprecated;
}
