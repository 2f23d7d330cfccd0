import {
	type DescMessage,
	fromBinary,
	type Message,
	toBinary,
} from "@bufbuild/protobuf";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { Bench } from "./gen/bench_pb.ts";

/** The service Bench as a definition for grpc-js and nice-grpc, with the messages of protobuf-es. */
export const benchDefinition: ServiceDefinition = Object.fromEntries(
	Bench.methods.map((method) => [
		method.localName,
		{
			path: `/${Bench.typeName}/${method.name}`,
			requestStream: false,
			responseStream: method.methodKind === "server_streaming",
			requestSerialize: serializer(method.input),
			requestDeserialize: deserializer(method.input),
			responseSerialize: serializer(method.output),
			responseDeserialize: deserializer(method.output),
		},
	]),
);

function serializer(schema: DescMessage) {
	return (message: Message): Buffer => {
		const bytes = toBinary(schema, message);
		return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	};
}

function deserializer(schema: DescMessage) {
	return (bytes: Buffer): Message => fromBinary(schema, bytes);
}
