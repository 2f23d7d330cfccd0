import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Target } from "@bufbuild/protoplugin";
import { type Comments, jsDoc } from "../comments.ts";
import type { PreparedService } from "../prepared-file.ts";
import type { References } from "../references.ts";
import type { Source } from "./source.ts";

/** Prints one construct of a service. */
export type Construct = (context: ServiceContext) => void;

/** What the constructs of one service in one generated file are printed from. */
export interface ServiceContext extends PreparedService {
	readonly f: Source;
	readonly target: Target;
	readonly comments: Comments;
	readonly references: References;
}

/** Prints the comment that the proto has on the service. */
export function printServiceDoc(context: ServiceContext): void {
	const { f, service, comments } = context;
	f.print(comments.jsDoc(service, isDeprecated(service)));
}

/** Prints the docs of another construct of the service. */
export function printDoc(
	context: ServiceContext,
	...lines: readonly string[]
): void {
	const { f, service } = context;
	const tag = isDeprecated(service) ? ["", "@deprecated"] : [];
	f.print(jsDoc([...lines, ...tag]));
}

/** Prints the comment that the proto has on the method. */
export function printMethodDoc(
	context: ServiceContext,
	method: DescMethod,
): void {
	const { f, comments } = context;
	f.print(comments.jsDoc(method, method.deprecated, "  "));
}

/** The name of a method in an interface, where a plain `new(…)` would be a construct signature. */
export function interfaceMember(name: string): string {
	return name === "new" ? '"new"' : name;
}

function isDeprecated(service: DescService): boolean {
	return service.deprecated || service.file.deprecated;
}
