/** Conversions for peer.proto that all TypeScript peers need. */

import { crc32 } from "node:zlib";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";
import {
	type Ballast,
	BallastSchema,
	type Call,
	type Instruction,
	InstructionSchema,
	type Metadatum,
	MetadatumSchema,
	type Received,
	ReceivedSchema,
	type Reply,
} from "../gen/peer_pb.ts";

const pattern = Uint8Array.from({ length: 256 }, (_, i) => i);

/** Makes a payload of the pattern that all peers use: byte i is i modulo 256. */
export function ballast(bytes: number): Uint8Array {
	return new Uint8Array(Buffer.alloc(bytes, pattern));
}

export function weigh(payload: Uint8Array): Ballast {
	return create(BallastSchema, {
		bytes: payload.length,
		crc: crc32(payload),
	});
}

export function received(reply: Reply): Received {
	return create(ReceivedSchema, {
		payload: weigh(reply.payload),
		...(reply.seen && { seen: reply.seen }),
	});
}

/** Makes the request number `index` of a call. */
export function requestOf(call: Call, index: number): Instruction {
	const request = call.requests[index];
	const instruction = request?.instruction ?? create(InstructionSchema);
	return { ...instruction, payload: ballast(request?.payloadBytes ?? 0) };
}

export function text(name: string, value: string): Metadatum {
	return create(MetadatumSchema, { name, value: { case: "text", value } });
}

export function binary(name: string, value: Uint8Array): Metadatum {
	return create(MetadatumSchema, { name, value: { case: "binary", value } });
}

export function toHeaders(
	data: readonly MessageInitShape<typeof MetadatumSchema>[],
	headers: Headers = new Headers(),
): Headers {
	for (const { name, value } of data) {
		if (name === undefined || value?.value === undefined) continue;
		headers.append(
			name,
			value.case === "binary" ? encodeBinaryHeader(value.value) : value.value,
		);
	}
	return headers;
}

/**
 * Returns the metadata whose names start with "x-" or "rpc-", without values that
 * cannot be decoded. A repeated ASCII key gives one entry.
 */
export function fromHeaders(headers: Headers): Metadatum[] {
	return [...headers]
		.filter(([name]) => /^(x|rpc)-/.test(name))
		.flatMap(([name, value]) =>
			name.endsWith("-bin")
				? decodedValues(value).map((bytes) => binary(name, bytes))
				: [text(name, value)],
		);
}

function decodedValues(value: string): Uint8Array[] {
	try {
		return value.split(",").map((one) => decodeBinaryHeader(one.trim()));
	} catch {
		return [];
	}
}
