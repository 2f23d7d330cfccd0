import type { DescMethod } from "@bufbuild/protobuf";
import type { ImportSymbol, Printable } from "@bufbuild/protoplugin";
import { printFunction } from "./function.ts";
import {
	type Construct,
	interfaceMember,
	printDoc,
	printMethodDoc,
	printServiceDoc,
	type ServiceContext,
} from "./service-context.ts";

const CONNECT = "@connectrpc/connect";

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
			...["context: ", handlerContext(context), "): "],
			...[responseType(context, method), ";"],
		);
	}
	f.print("}");
}

function printRegister(context: ServiceContext): void {
	const { f, names, service, references } = context;
	const registrar = context.local("registrar");
	const implementation = context.local("implementation");
	printDoc(
		context,
		`Serves ${service.typeName} on a server, or wherever the registrar adds it.`,
	);
	printFunction(context, {
		name: names.register,
		parameters: [
			{ name: registrar, type: serverType(context, "ServiceRegistrar") },
			{ name: implementation, type: names.server },
		],
		result: "void",
		statement: [
			...[registrar, ".add("],
			...[references.service(f, service), ", ", implementation, ");"],
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
			...["_context: ", handlerContext(context), "): "],
			...[responseType(context, method), target === "ts" ? " {" : ";"],
		);
	}
	if (target !== "dts") {
		const message = `${method.parent.typeName}.${method.name} is not implemented`;
		f.print(
			...["    throw new ", f.import("ConnectError", CONNECT)],
			...["(", f.string(message), ", "],
			...[f.import("Code", CONNECT), ".Unimplemented);"],
		);
		f.print("  }");
	}
}

function requestName(method: DescMethod): string {
	return isRequestStreaming(method) ? "requests" : "request";
}

function requestType(context: ServiceContext, method: DescMethod): Printable {
	const shape = context.references.shape(context.f, method.input);
	return isRequestStreaming(method)
		? [serverType(context, "RequestStream"), "<", shape, ">"]
		: shape;
}

function responseType(context: ServiceContext, method: DescMethod): Printable {
	const alias = serverType(context, handlerReturns[method.methodKind]);
	const schema = context.references.schemaType(context.f, method.output);
	return [alias, "<typeof ", schema, ">"];
}

/** Connect takes a response at once from unary handlers alone. */
const handlerReturns = {
	unary: "HandlerResponse",
	client_streaming: "HandlerPromise",
	server_streaming: "HandlerStream",
	bidi_streaming: "HandlerStream",
} as const;

function isRequestStreaming({ methodKind }: DescMethod): boolean {
	return methodKind === "client_streaming" || methodKind === "bidi_streaming";
}

function handlerContext({ f }: ServiceContext): ImportSymbol {
	return f.import("HandlerContext", CONNECT, true);
}

function serverType({ f }: ServiceContext, name: string): ImportSymbol {
	return f.import(name, "homing/server", true);
}
