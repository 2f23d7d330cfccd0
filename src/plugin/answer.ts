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
 * That holds the files, or the error of what is wrong with the protos or the
 * options.
 *
 * @param warn is told what is probably a mistake; the answer does not depend on it
 * @throws Error for bytes that are no request that buf or protoc would write
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
			// Without these, buf complains of their absence rather than of the error.
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
			`standard input (${bytes.length} bytes) is not a whole CodeGeneratorRequest: ${explained(error)}`,
		);
	}
	if (request.fileToGenerate.length === 0) {
		throw new Error(
			`the CodeGeneratorRequest on standard input (${bytes.length} bytes) names no file to generate`,
		);
	}
	return request;
}

/** The message of what we or a library throw on purpose; all there is to know of a mistake of ours. */
function explained(error: unknown): string {
	if (!(error instanceof Error)) {
		return String(error);
	}
	const mistake = error instanceof TypeError || error instanceof ReferenceError;
	return mistake
		? `a mistake in ${name} ${version}, please report it: ${error.stack}`
		: error.message;
}
