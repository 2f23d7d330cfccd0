import {
	type DescMessage,
	fromBinary,
	type MessageInitShape,
	type MessageShape,
	toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { madeByClient } from "../../wire/inner-error.ts";
import { messageOfInit } from "../../wire/message-init.ts";

/** As `messageOfInit`. Throws ConnectError INTERNAL, naming what could not be made. */
export function messageOf<Desc extends DescMessage>(
	schema: Desc,
	init: MessageInitShape<Desc> | undefined,
): MessageShape<Desc> {
	try {
		return messageOfInit(schema, init);
	} catch (error) {
		throw codecError(`the request is no ${schema.typeName}`, error);
	}
}

/** Throws ConnectError INTERNAL, naming what could not be encoded. */
export function encodeMessage<Desc extends DescMessage>(
	schema: Desc,
	init: MessageInitShape<Desc> | undefined,
): Uint8Array {
	try {
		return toBinary(schema, messageOfInit(schema, init));
	} catch (error) {
		throw codecError(`the request is no ${schema.typeName}`, error);
	}
}

/** Throws ConnectError INTERNAL, naming what could not be decoded. */
export function decodeMessage<Desc extends DescMessage>(
	schema: Desc,
	bytes: Uint8Array,
): MessageShape<Desc> {
	try {
		return fromBinary(schema, bytes);
	} catch (error) {
		throw codecError(`the response is no ${schema.typeName}`, error);
	}
}

function codecError(what: string, cause: unknown): ConnectError {
	const why = cause instanceof Error ? cause.message : String(cause);
	return madeByClient(
		new ConnectError(
			`${what}: ${why}`,
			Code.Internal,
			undefined,
			undefined,
			cause,
		),
	);
}
