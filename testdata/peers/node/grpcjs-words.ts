/** What grpc-js needs to use peer.proto with the messages of protobuf-es. */

import {
	type DescMessage,
	type DescService,
	fromBinary,
	type Message,
	toBinary,
} from "@bufbuild/protobuf";
import {
	type ChannelOptions,
	Metadata,
	type ServiceDefinition,
} from "@grpc/grpc-js";
import type { Metadatum } from "../gen/peer_pb.ts";
import { maxMessageBytes } from "./peer.ts";
import { binary, text } from "./words.ts";

export const messageLimits: ChannelOptions = {
	"grpc.max_receive_message_length": maxMessageBytes,
	"grpc.max_send_message_length": -1,
};

export function definitionOf(service: DescService): ServiceDefinition {
	const serialize = (schema: DescMessage) => (message: Message) =>
		Buffer.from(toBinary(schema, message));
	const deserialize = (schema: DescMessage) => (bytes: Buffer) =>
		fromBinary(schema, new Uint8Array(bytes));
	return Object.fromEntries(
		service.methods.map((method) => [
			method.localName,
			{
				path: `/${service.typeName}/${method.name}`,
				requestStream: /^(client|bidi)_/.test(method.methodKind),
				responseStream: /^(server|bidi)_/.test(method.methodKind),
				requestSerialize: serialize(method.input),
				requestDeserialize: deserialize(method.input),
				responseSerialize: serialize(method.output),
				responseDeserialize: deserialize(method.output),
			},
		]),
	);
}

export function toMetadata(data: readonly Metadatum[]): Metadata {
	const metadata = new Metadata();
	for (const { name, value } of data) {
		if (value.case === "text") metadata.add(name, value.value);
		if (value.case === "binary") metadata.add(name, Buffer.from(value.value));
	}
	return metadata;
}

/** Returns the metadata whose names start with "x-". */
export function fromMetadata(metadata: Metadata): Metadatum[] {
	return Object.keys(metadata.getMap())
		.filter((name) => name.startsWith("x-"))
		.flatMap((name) =>
			metadata
				.get(name)
				.map((value) =>
					typeof value === "string"
						? text(name, value)
						: binary(name, new Uint8Array(value)),
				),
		);
}
