import type { DescMethod } from "@bufbuild/protobuf";
import type { ImportSymbol, Printable } from "@bufbuild/protoplugin";
import { printFunction } from "./function.ts";
import { literal } from "./literal.ts";
import { clientMethodName } from "./names.ts";
import {
	type Construct,
	interfaceMember,
	printDoc,
	printMethodDoc,
	printServiceDoc,
	type ServiceContext,
} from "./service-context.ts";

/** The module that the client half of generated code stands on. */
const HOMING = "homing";

/** What a service is called by, in the order of the output. */
export function clientHalf({
	target,
	policies,
}: ServiceContext): readonly Construct[] {
	return [
		...(target === "js" ? [] : [printClientInterface]),
		...(target === "dts" || policies === undefined ? [] : [printPolicies]),
		printFactory,
	];
}

function printClientInterface(context: ServiceContext): void {
	const { f, names, service } = context;
	printServiceDoc(context);
	f.print(
		f.export("interface", names.client),
		" extends ",
		homingType(context, "GeneratedClient"),
		" {",
	);
	for (const method of service.methods) {
		printMethodDoc(context, method);
		printClientMethod(context, method);
	}
	f.print("}");
}

function printClientMethod(context: ServiceContext, method: DescMethod): void {
	const { f, references } = context;
	const name = clientMethodName(method);
	const request = ["typeof ", references.schemaType(f, method.input)];
	const response = references.shape(f, method.output);
	switch (method.methodKind) {
		case "unary":
			f.print(
				...["  ", interfaceMember(name), "("],
				...requestParameters(context, method, request),
				...["): ", homingType(context, "UnaryResponse"), "<", response, ">;"],
			);
			break;
		case "server_streaming":
			f.print(
				...["  ", interfaceMember(name), "("],
				...requestParameters(context, method, request),
				...["): ", homingType(context, "ServerStream"), "<", response, ">;"],
			);
			break;
		case "client_streaming":
			f.print(
				...["  ", name, ": ", homingType(context, "ClientStreaming")],
				...["<", request, ", ", response, ">;"],
			);
			break;
		case "bidi_streaming":
			f.print(
				...["  ", name, ": ", homingType(context, "BidiStreaming")],
				...["<", request, ", ", response, ">;"],
			);
			break;
	}
}

/** A request that has nothing to say may be left out. */
function requestParameters(
	context: ServiceContext,
	method: DescMethod,
	request: Printable,
): Printable[] {
	const { f } = context;
	const empty = method.input.typeName === "google.protobuf.Empty";
	return [
		...["request", empty ? "?: " : ": "],
		...[f.import("MessageInitShape", "@bufbuild/protobuf", true)],
		...["<", request, ">, "],
		...["options?: ", homingType(context, "CallOptions")],
	];
}

function printPolicies(context: ServiceContext): void {
	const { f, target, names, policies } = context;
	f.print(
		...["const ", context.local(names.policies)],
		...(target === "ts" ? [": ", homingType(context, "BakedPolicies")] : []),
		...[" = ", literal(policies), ";"],
	);
}

function printFactory(context: ServiceContext): void {
	const { f, names, service, policies, references } = context;
	const target = context.local("target");
	const options = context.local("options");
	printDoc(
		context,
		`Makes a client of ${service.typeName}. Disposing of it closes what it opened.`,
	);
	printFunction(context, {
		name: names.factory,
		parameters: [
			{
				name: target,
				optional: policies?.target !== undefined,
				type: homingType(context, "Target"),
			},
			{
				name: options,
				optional: true,
				type: [
					homingType(context, "ClientOptions"),
					`<keyof ${names.client} & string>`,
				],
			},
		],
		result: names.client,
		statement: [
			...["return ", f.import("newClient", HOMING), "("],
			...[references.service(f, service), ", ", target, ", ", options],
			...(policies === undefined ? [] : [", ", context.local(names.policies)]),
			");",
		],
	});
}

function homingType({ f }: ServiceContext, name: string): ImportSymbol {
	return f.import(name, HOMING, true);
}
