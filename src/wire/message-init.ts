import {
	create,
	type DescMessage,
	type MessageInitShape,
	type MessageShape,
} from "@bufbuild/protobuf";
import { shown } from "../checks/option-error.ts";
import { problemOfInit } from "./init-check.ts";

/**
 * The message that `init` is, or whose fields it has; an empty one when it is absent.
 *
 * @throws TypeError for anything else, of which `create` would make an empty message, and for fields that are not its own
 * or of the wrong type, naming the first
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

/** "" for fields without a message, undefined for what is neither. */
function typeNameOf(init: unknown): string | undefined {
	if (typeof init !== "object" || init === null || Array.isArray(init)) {
		return undefined;
	}
	return (init as { $typeName?: string }).$typeName ?? "";
}
