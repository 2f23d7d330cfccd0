import {
	create,
	maximumEdition,
	minimumEdition,
	protoInt64,
	toBinary,
} from "@bufbuild/protobuf";
import {
	type CodeGeneratorRequest,
	CodeGeneratorResponse_Feature,
	CodeGeneratorResponseSchema,
} from "@bufbuild/protobuf/wkt";
import { name, protocGenHoming, version } from "./plugin.ts";
import type { Warn } from "./policies/unknown-name.ts";
import { readRequest } from "./request.ts";

/**
 * Answers an encoded CodeGeneratorRequest with an encoded CodeGeneratorResponse.
 * The response holds the generated files, or the error if the protos or the
 * options are invalid.
 *
 * @param warn is called with what is probably a mistake; it does not change the answer
 * @throws Error for bytes that are not a request as buf or protoc writes it
 */
export function answer(bytes: Uint8Array, warn: Warn = () => {}): Uint8Array {
	const request = parseRequest(bytes);
	try {
		return toBinary(
			CodeGeneratorResponseSchema,
			protocGenHoming(request, warn),
		);
	} catch (error) {
		const response = create(CodeGeneratorResponseSchema, {
			error: explained(error),
			// If these are absent, buf complains about that instead of showing the error.
			supportedFeatures: protoInt64.parse(
				CodeGeneratorResponse_Feature.PROTO3_OPTIONAL |
					CodeGeneratorResponse_Feature.SUPPORTS_EDITIONS,
			),
			minimumEdition,
			maximumEdition,
		});
		return toBinary(CodeGeneratorResponseSchema, response);
	}
}

function parseRequest(bytes: Uint8Array): CodeGeneratorRequest {
	let request: CodeGeneratorRequest;
	try {
		request = readRequest(bytes);
	} catch (error) {
		throw new Error(
			`standard input (${bytes.length} bytes) is not a complete CodeGeneratorRequest: ${explained(error)}`,
		);
	}
	if (request.fileToGenerate.length === 0) {
		throw new Error(
			`the CodeGeneratorRequest on standard input (${bytes.length} bytes) names no file to generate`,
		);
	}
	return request;
}

/** Returns the message of an error that is thrown on purpose; for a bug in the plugin itself, the stack too. */
function explained(error: unknown): string {
	if (!(error instanceof Error)) {
		return String(error);
	}
	const bug = error instanceof TypeError || error instanceof ReferenceError;
	return bug
		? `a bug in ${name} ${version}; please report it: ${error.stack}`
		: error.message;
}
