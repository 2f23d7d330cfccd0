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

/**
 * Makes a complete message from the fields of one; see `messageOfInit`.
 *
 * @throws ConnectError INTERNAL that names the type and the reason
 */
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

/** @throws ConnectError INTERNAL that names the type and the reason */
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

/** @throws ConnectError INTERNAL that names the type and the reason */
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
