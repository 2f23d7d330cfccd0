import {
	create,
	type DescMessage,
	type MessageInitShape,
	type MessageShape,
} from "@bufbuild/protobuf";
import { shown } from "../checks/option-error.ts";
import { problemOfInit } from "./init-check.ts";

/**
 * Returns `init` if it is a message, a message created from it if it is an object with fields, and an empty message if it
 * is undefined.
 *
 * @throws TypeError for anything else, from which `create` would make an empty message, and for fields that the message
 * does not have or that have the wrong type, naming the first one
 */
export function messageOfInit<Desc extends DescMessage>(
	schema: Desc,
	init: MessageInitShape<Desc> | undefined,
): MessageShape<Desc> {
	if (init === undefined) return create(schema);
	const typeName = typeNameOf(init);
	if (typeName === schema.typeName) return init as MessageShape<Desc>;
	if (typeName === "") {
		const problem = problemOfInit(schema, init);
		if (problem !== undefined) throw new TypeError(problem);
		return create(schema, init);
	}
	throw new TypeError(
		typeName === undefined
			? `${shown(init)} is neither a message nor its fields`
			: `it is a ${typeName}`,
	);
}

/** The type name of a message, "" for an object with fields, undefined for anything else. */
function typeNameOf(init: unknown): string | undefined {
	if (typeof init !== "object" || init === null || Array.isArray(init)) {
		return undefined;
	}
	return (init as { $typeName?: string }).$typeName ?? "";
}
