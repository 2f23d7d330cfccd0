import {
	create,
	createFileRegistry,
	type DescService,
} from "@bufbuild/protobuf";
import {
	FileDescriptorProtoSchema,
	FileDescriptorSetSchema,
	MethodOptions_IdempotencyLevel,
} from "@bufbuild/protobuf/wkt";

interface MethodInit {
	readonly name: string;
	readonly idempotency?: keyof typeof MethodOptions_IdempotencyLevel;
}

/** Makes the descriptor of a service `test.Any` with the given unary methods, which take and return `test.Message`. */
export function serviceOf(...methods: (string | MethodInit)[]): DescService {
	const file = create(FileDescriptorProtoSchema, {
		name: "any.proto",
		package: "test",
		syntax: "proto3",
		messageType: [{ name: "Message" }],
		service: [
			{
				name: "Any",
				method: methods.map((method) => {
					const { name, idempotency = "IDEMPOTENCY_UNKNOWN" } =
						typeof method === "string" ? { name: method } : method;
					return {
						name,
						inputType: ".test.Message",
						outputType: ".test.Message",
						options: {
							idempotencyLevel: MethodOptions_IdempotencyLevel[idempotency],
						},
					};
				}),
			},
		],
	});
	const set = create(FileDescriptorSetSchema, { file: [file] });
	return createFileRegistry(set).getService("test.Any") as DescService;
}
