import type { DescMethod } from "@bufbuild/protobuf";
import { printFunction } from "./function.ts";
import { literal } from "./literal.ts";
import { connect, homingServer } from "./runtime-imports.ts";
import {
	type Construct,
	interfaceMember,
	printDoc,
	printMethodDoc,
	printServiceDoc,
	type ServiceContext,
} from "./service-context.ts";

/** The constructs of a service's server, in the order of the output. */
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
	f.print(`export interface ${names.server} {`);
	for (const method of service.methods) {
		const member = interfaceMember(method.localName);
		const request = `${requestName(method)}: ${requestType(context, method)}`;
		const handler = `context: ${f.use(connect.HandlerContext)}`;
		const response = responseType(context, method);
		printMethodDoc(context, method);
		f.print(`  ${member}(${request}, ${handler}): ${response};`);
	}
	f.print("}");
}

function printRegister(context: ServiceContext): void {
	const { f, names, service, references } = context;
	printDoc(
		context,
		`Adds an implementation of ${service.typeName} to a server, or to what else implements ServiceRegistrar.`,
	);
	printFunction(context, {
		name: names.register,
		parameters: [
			{ name: "registrar", type: () => f.use(homingServer.ServiceRegistrar) },
			{ name: "implementation", type: () => names.server },
		],
		result: "void",
		statements: () => [
			// For JavaScript programs that swap the arguments.
			`if (typeof registrar?.add !== "function") throw new ${f.use(connect.ConnectError)}("${names.register} takes the server first, and the implementation second", ${f.use(connect.Code)}.InvalidArgument);`,
			`registrar.add(${f.use(references.service(service))}, implementation);`,
		],
	});
}

function printUnimplemented(context: ServiceContext): void {
	const { f, names, service, target } = context;
	printDoc(
		context,
		`Answers every method of ${service.typeName} with UNIMPLEMENTED. Extend it to implement some of them.`,
	);
	const name = `class ${names.unimplemented}`;
	switch (target) {
		case "ts":
			f.print(`export ${name} implements ${names.server} {`);
			break;
		case "js":
			f.print(`export ${name} {`);
			break;
		case "dts":
			f.print(`export declare ${name} implements ${names.server} {`);
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
	const name = method.localName;
	const request = `_${requestName(method)}`;
	if (target === "js") {
		f.print(`  ${name}(${request}, _context) {`);
	} else {
		const typed = `${request}: ${requestType(context, method)}`;
		const handler = `_context: ${f.use(connect.HandlerContext)}`;
		const end = target === "ts" ? " {" : ";";
		f.print(
			`  ${name}(${typed}, ${handler}): ${responseType(context, method)}${end}`,
		);
	}
	if (target !== "dts") {
		const error = f.use(connect.ConnectError);
		const code = f.use(connect.Code);
		const message = `${method.parent.typeName}.${method.name} is not implemented`;
		f.print(
			`    throw new ${error}(${literal(message)}, ${code}.Unimplemented);`,
		);
		f.print("  }");
	}
}

function requestName(method: DescMethod): string {
	return isRequestStreaming(method) ? "requests" : "request";
}

function requestType(
	{ f, references }: ServiceContext,
	method: DescMethod,
): string {
	const shape = f.use(references.message(method.input).shape);
	return isRequestStreaming(method)
		? `${f.use(homingServer.RequestStream)}<${shape}>`
		: shape;
}

function responseType(
	{ f, references }: ServiceContext,
	method: DescMethod,
): string {
	const type = f.use(handlerReturns[method.methodKind]);
	const schema = f.use(references.message(method.output).schemaType);
	return `${type}<typeof ${schema}>`;
}

/** Only unary handlers may return a response without a promise, as in Connect. */
const handlerReturns = {
	unary: homingServer.HandlerResponse,
	client_streaming: homingServer.HandlerPromise,
	server_streaming: homingServer.HandlerStream,
	bidi_streaming: homingServer.HandlerStream,
};

function isRequestStreaming({ methodKind }: DescMethod): boolean {
	return methodKind === "client_streaming" || methodKind === "bidi_streaming";
}
