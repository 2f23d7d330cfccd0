import type { DescMethod } from "@bufbuild/protobuf";
import { clientMethodName } from "../names.ts";
import { printFunction } from "./function.ts";
import { literal } from "./literal.ts";
import { homing, protobuf } from "./runtime-imports.ts";
import {
	type Construct,
	interfaceMember,
	printDoc,
	printMethodDoc,
	printServiceDoc,
	type ServiceContext,
} from "./service-context.ts";

/** The constructs of a service's client, in the order of the output. */
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
	const base = f.use(homing.GeneratedClient);
	printServiceDoc(context);
	f.print(`export interface ${names.client} extends ${base} {`);
	for (const method of service.methods) {
		printMethodDoc(context, method);
		printClientMethod(context, method);
	}
	f.print("}");
}

function printClientMethod(context: ServiceContext, method: DescMethod): void {
	const { f, references } = context;
	const name = clientMethodName(method);
	const member = interfaceMember(name);
	const request = f.use(references.message(method.input).schemaType);
	const response = f.use(references.message(method.output).shape);
	switch (method.methodKind) {
		case "unary": {
			const result = f.use(homing.UnaryResponse);
			const parameters = requestParameters(context, method, request);
			f.print(`  ${member}(${parameters}): ${result}<${response}>;`);
			break;
		}
		case "server_streaming": {
			const result = f.use(homing.ServerStream);
			const parameters = requestParameters(context, method, request);
			f.print(`  ${member}(${parameters}): ${result}<${response}>;`);
			break;
		}
		case "client_streaming": {
			const call = f.use(homing.ClientStreaming);
			f.print(`  ${name}: ${call}<typeof ${request}, ${response}>;`);
			break;
		}
		case "bidi_streaming": {
			const call = f.use(homing.BidiStreaming);
			f.print(`  ${name}: ${call}<typeof ${request}, ${response}>;`);
			break;
		}
	}
}

/** The parameters of a method with one request. The request is optional if it is Empty. */
function requestParameters(
	{ f }: ServiceContext,
	method: DescMethod,
	request: string,
): string {
	const mark = method.input.typeName === "google.protobuf.Empty" ? "?" : "";
	const type = `${f.use(protobuf.MessageInitShape)}<typeof ${request}>`;
	return `request${mark}: ${type}, options?: ${f.use(homing.CallOptions)}`;
}

function printPolicies({ f, target, names, policies }: ServiceContext): void {
	const type = target === "ts" ? `: ${f.use(homing.BakedPolicies)}` : "";
	f.print(`const ${names.policies}${type} = ${literal(policies)};`);
}

/** The docs of a factory's first parameter. */
const TARGETS = [
	"",
	'The target is where the service is: "host:port"; a URL like "dns:///host:port", "https://host", "unix:///path",',
	'"ipv4:10.0.0.1:50051,10.0.0.2:50051", "consul://agent:8500/service", "etcd://host:2379/prefix" or',
	'"kubernetes:///service.namespace:port"; a Resolver; or a Channel or Connect Transport that clients may share.',
];

function printFactory(context: ServiceContext): void {
	const { f, names, service, policies, references } = context;
	printDoc(
		context,
		`Makes a client of ${service.typeName}. \`closeClient\` and \`await using\` close the connections that it opens.`,
		...TARGETS,
		...(policies?.target === undefined
			? []
			: ["Without a target, it is the one that the proto names."]),
	);
	printFunction(context, {
		name: names.factory,
		parameters: [
			{
				name: "target",
				optional: policies?.target !== undefined,
				type: () => f.use(homing.Target),
			},
			{
				name: "options",
				optional: true,
				type: () =>
					`${f.use(homing.ClientOptions)}<keyof ${names.client} & string>`,
			},
		],
		result: names.client,
		statements: () => {
			const descriptor = f.use(references.service(service));
			const baked = policies === undefined ? "" : `, ${names.policies}`;
			return [
				`return ${f.use(homing.newClient)}(${descriptor}, target, options${baked});`,
			];
		},
	});
}
