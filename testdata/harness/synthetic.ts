import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
	type CodeGeneratorRequest,
	CodeGeneratorRequestSchema,
	type DescriptorProtoSchema,
	FieldDescriptorProto_Label,
	FieldDescriptorProto_Type,
	type FileDescriptorProto,
	FileDescriptorProtoSchema,
	type MethodDescriptorProtoSchema,
	type SourceCodeInfo_LocationSchema,
} from "@bufbuild/protobuf/wkt";

const METHODS = 8;

/** Makes a request for one file with this many services. Each has eight methods with comments and two messages each. */
export function syntheticRequest(services: number): CodeGeneratorRequest {
	const file = syntheticFile("synthetic", services);
	return create(CodeGeneratorRequestSchema, {
		fileToGenerate: [file.name],
		parameter: "target=ts,import_extension=js",
		protoFile: [file],
		sourceFileDescriptors: [file],
	});
}

/** Adds source locations, as a compiler would. */
export function syntheticFile(
	name: string,
	services: number,
): FileDescriptorProto {
	const packageName = name.replaceAll("/", ".");
	const indices = Array.from({ length: services }, (_, index) => index);
	const methods = (service: number): number[] =>
		Array.from({ length: METHODS }, (_, index) => service * METHODS + index);
	return create(FileDescriptorProtoSchema, {
		name: `${name}.proto`,
		package: packageName,
		syntax: "proto3",
		messageType: indices
			.flatMap(methods)
			.flatMap((n) => [message(`Request${n}`), message(`Response${n}`)]),
		service: indices.map((service) => ({
			name: `Service${service}`,
			method: methods(service).map((n) => method(packageName, n)),
		})),
		sourceCodeInfo: { location: indices.flatMap(locations) },
	});
}

function message(name: string): MessageInitShape<typeof DescriptorProtoSchema> {
	return {
		name,
		field: [
			{
				name: "text",
				number: 1,
				label: FieldDescriptorProto_Label.OPTIONAL,
				type: FieldDescriptorProto_Type.STRING,
				jsonName: "text",
			},
		],
	};
}

function method(
	packageName: string,
	n: number,
): MessageInitShape<typeof MethodDescriptorProtoSchema> {
	return {
		name: `Method${n}`,
		inputType: `.${packageName}.Request${n}`,
		outputType: `.${packageName}.Response${n}`,
		clientStreaming: n % 4 > 1,
		serverStreaming: n % 2 > 0,
	};
}

type Location = MessageInitShape<typeof SourceCodeInfo_LocationSchema>;

/** Makes the locations of a service and its methods with comments, and of their messages. */
function locations(service: number): Location[] {
	return [
		{
			path: [6, service],
			span: [service, 0, 1],
			leadingComments: ` Service number ${service} does what it does.\n`,
		},
		{ path: [6, service, 1], span: [service, 8, 20] },
		...Array.from({ length: METHODS }, (_, index): Location[] => {
			const path = [6, service, 2, index];
			const n = service * METHODS + index;
			return [
				{
					path,
					span: [n, 2, 80],
					leadingComments: ` Takes a request and gives a response,\n which is all that there is to say of ${n}.\n`,
				},
				...[1, 2, 3].map((field) => ({
					path: [...path, field],
					span: [n, 6, 20],
				})),
				...[2 * n, 2 * n + 1].flatMap((type): Location[] => [
					{ path: [4, type], span: [type, 0, 1] },
					{ path: [4, type, 1], span: [type, 8, 20] },
					{ path: [4, type, 2, 0], span: [type, 2, 20] },
					...[5, 1, 3].map((field) => ({
						path: [4, type, 2, 0, field],
						span: [type, 2, 20],
					})),
				]),
			];
		}).flat(),
	];
}
