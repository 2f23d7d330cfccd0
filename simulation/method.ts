import {
	create,
	createFileRegistry,
	type DescMethod,
} from "@bufbuild/protobuf";
import {
	FileDescriptorProtoSchema,
	FileDescriptorSetSchema,
	MethodOptions_IdempotencyLevel,
} from "@bufbuild/protobuf/wkt";

/** The method that clients call: unary, idempotent, with empty messages. */
export const method: DescMethod = idempotentMethod();

function idempotentMethod(): DescMethod {
	const file = create(FileDescriptorProtoSchema, {
		name: "simulation.proto",
		package: "simulation",
		syntax: "proto3",
		messageType: [{ name: "Empty" }],
		service: [
			{
				name: "Service",
				method: [
					{
						name: "Get",
						inputType: ".simulation.Empty",
						outputType: ".simulation.Empty",
						options: {
							idempotencyLevel: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
						},
					},
				],
			},
		],
	});
	const registry = createFileRegistry(
		create(FileDescriptorSetSchema, { file: [file] }),
	);
	return registry.getService("simulation.Service")?.method["get"] as DescMethod;
}
