import type { DescMethod } from "@bufbuild/protobuf";
import type { Printable } from "@bufbuild/protoplugin";
import { printFunction } from "./function.ts";
import { literal } from "./literal.ts";
import { clientMethodName } from "./names.ts";
import { homing, protobuf } from "./runtime-symbols.ts";
import {
	type Construct,
	interfaceMember,
	printDoc,
	printMethodDoc,
	printServiceDoc,
	type ServiceContext,
} from "./service-context.ts";

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
		homing.GeneratedClient,
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
	const request = ["typeof ", references.message(method.input).schemaType];
	const response = references.message(method.output).shape;
	switch (method.methodKind) {
		case "unary":
			f.print(
				...["  ", interfaceMember(name), "("],
				...requestParameters(method, request),
				...["): ", homing.UnaryResponse, "<", response, ">;"],
			);
			break;
		case "server_streaming":
			f.print(
				...["  ", interfaceMember(name), "("],
				...requestParameters(method, request),
				...["): ", homing.ServerStream, "<", response, ">;"],
			);
			break;
		case "client_streaming":
			f.print(
				...["  ", name, ": ", homing.ClientStreaming],
				...["<", request, ", ", response, ">;"],
			);
			break;
		case "bidi_streaming":
			f.print(
				...["  ", name, ": ", homing.BidiStreaming],
				...["<", request, ", ", response, ">;"],
			);
			break;
	}
}

/** A request that has nothing to say may be left out. */
function requestParameters(
	method: DescMethod,
	request: Printable,
): Printable[] {
	const empty = method.input.typeName === "google.protobuf.Empty";
	return [
		...["request", empty ? "?: " : ": "],
		...[protobuf.MessageInitShape],
		...["<", request, ">, "],
		...["options?: ", homing.CallOptions],
	];
}

function printPolicies(context: ServiceContext): void {
	const { f, target, names, policies } = context;
	f.print(
		...["const ", f.local(names.policies)],
		...(target === "ts" ? [": ", homing.BakedPolicies] : []),
		...[" = ", literal(policies), ";"],
	);
}

function printFactory(context: ServiceContext): void {
	const { f, names, service, policies, references } = context;
	const target = f.local("target");
	const options = f.local("options");
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
				type: homing.Target,
			},
			{
				name: options,
				optional: true,
				type: [homing.ClientOptions, `<keyof ${names.client} & string>`],
			},
		],
		result: names.client,
		statement: [
			...["return ", homing.newClient, "("],
			...[references.service(service), ", ", target, ", ", options],
			...(policies === undefined ? [] : [", ", f.local(names.policies)]),
			");",
		],
	});
}
