import type { DescMethod } from "@bufbuild/protobuf";
import type { Printable } from "@bufbuild/protoplugin";
import { printFunction } from "./function.ts";
import { literal } from "./literal.ts";
import { connect, homingServer } from "./runtime-symbols.ts";
import {
	type Construct,
	interfaceMember,
	printDoc,
	printMethodDoc,
	printServiceDoc,
	type ServiceContext,
} from "./service-context.ts";

/** What a service is implemented by, in the order of the output. */
export function serverHalf({ target }: ServiceContext): readonly Construct[] {
	return [
		...(target === "js" ? [] : [printServerInterface]),
		printRegister,
		printUnimplemented,
	];
}

function printServerInterface(context: ServiceContext): void {
	const { f, names, service } = context;
	printServiceDoc(context);
	f.print(f.export("interface", names.server), " {");
	for (const method of service.methods) {
		printMethodDoc(context, method);
		f.print(
			...["  ", interfaceMember(method.localName), "("],
			...[requestName(method), ": ", requestType(context, method), ", "],
			...["context: ", connect.HandlerContext, "): "],
			...[responseType(context, method), ";"],
		);
	}
	f.print("}");
}

function printRegister(context: ServiceContext): void {
	const { f, names, service, references } = context;
	const registrar = f.local("registrar");
	const implementation = f.local("implementation");
	printDoc(
		context,
		`Serves ${service.typeName} on a server, or wherever the registrar adds it.`,
	);
	printFunction(context, {
		name: names.register,
		parameters: [
			{ name: registrar, type: homingServer.ServiceRegistrar },
			{ name: implementation, type: names.server },
		],
		result: "void",
		statement: [
			...[registrar, ".add("],
			...[references.service(service), ", ", implementation, ");"],
		],
	});
}

function printUnimplemented(context: ServiceContext): void {
	const { f, names, service, target } = context;
	printDoc(
		context,
		`Answers every method of ${service.typeName} with UNIMPLEMENTED. Extend it to implement some of them.`,
	);
	switch (target) {
		case "ts":
			f.print(
				f.export("class", names.unimplemented),
				` implements ${names.server} {`,
			);
			break;
		case "dts":
			f.print(
				f.export("declare class", names.unimplemented),
				` implements ${names.server} {`,
			);
			break;
		case "js":
			f.print(f.export("class", names.unimplemented), " {");
			break;
	}
	for (const method of service.methods) {
		printUnimplementedMethod(context, method);
	}
	f.print("}");
}

function printUnimplementedMethod(
	context: ServiceContext,
	method: DescMethod,
): void {
	const { f, target } = context;
	if (target === "js") {
		f.print("  ", method.localName, "(_", requestName(method), ", _context) {");
	} else {
		f.print(
			...["  ", method.localName, "("],
			...["_", requestName(method), ": ", requestType(context, method), ", "],
			...["_context: ", connect.HandlerContext, "): "],
			...[responseType(context, method), target === "ts" ? " {" : ";"],
		);
	}
	if (target !== "dts") {
		const message = `${method.parent.typeName}.${method.name} is not implemented`;
		f.print(
			...["    throw new ", connect.ConnectError],
			...["(", literal(message), ", "],
			...[connect.Code, ".Unimplemented);"],
		);
		f.print("  }");
	}
}

function requestName(method: DescMethod): string {
	return isRequestStreaming(method) ? "requests" : "request";
}

function requestType(
	{ references }: ServiceContext,
	method: DescMethod,
): Printable {
	const shape = references.message(method.input).shape;
	return isRequestStreaming(method)
		? [homingServer.RequestStream, "<", shape, ">"]
		: shape;
}

function responseType(
	{ references }: ServiceContext,
	method: DescMethod,
): Printable {
	const alias = handlerReturns[method.methodKind];
	const schema = references.message(method.output).schemaType;
	return [alias, "<typeof ", schema, ">"];
}

/** Connect takes a response at once from unary handlers alone. */
const handlerReturns = {
	unary: homingServer.HandlerResponse,
	client_streaming: homingServer.HandlerPromise,
	server_streaming: homingServer.HandlerStream,
	bidi_streaming: homingServer.HandlerStream,
};

function isRequestStreaming({ methodKind }: DescMethod): boolean {
	return methodKind === "client_streaming" || methodKind === "bidi_streaming";
}
