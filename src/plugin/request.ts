import { create, fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
	type CodeGeneratorRequest,
	CodeGeneratorRequestSchema,
	type FileDescriptorProto,
	FileDescriptorProtoSchema,
	type SourceCodeInfo,
	SourceCodeInfo_LocationSchema,
	SourceCodeInfoSchema,
} from "@bufbuild/protobuf/wkt";

/** Field numbers in plugin.proto and descriptor.proto. */
const PROTO_FILE = 15;
const SOURCE_FILE_DESCRIPTORS = 17;
const NAME_OF_FILE = 1;
const SOURCE_CODE_INFO_OF_FILE = 9;
const LOCATION_OF_SOURCE_CODE_INFO = 1;

/** The first numbers of the location paths that are read: those of the package, the services and the syntax. */
const PATHS = new Set([2, 6, 12]);

/**
 * Reads the part of a CodeGeneratorRequest that is needed, about a third of it.
 *
 * A request contains each file to generate twice; only the copy that has all
 * options, those for generators included, is read. Of the source locations, which
 * are most of a file, those of messages and fields are skipped.
 *
 * @throws Error for bytes that are not a CodeGeneratorRequest
 */
export function readRequest(bytes: Uint8Array): CodeGeneratorRequest {
	const { rest, taken } = split(bytes, [PROTO_FILE, SOURCE_FILE_DESCRIPTORS]);
	const request = fromBinary(CodeGeneratorRequestSchema, rest);
	const toGenerate = new Set(request.fileToGenerate);
	const sources = new Map(
		taken.get(SOURCE_FILE_DESCRIPTORS)?.map((file) => [nameOf(file), file]),
	);
	for (const file of taken.get(PROTO_FILE) ?? []) {
		const name = nameOf(file);
		request.protoFile.push(
			readFile(sources.get(name) ?? file, toGenerate.has(name)),
		);
	}
	return request;
}

function readFile(
	bytes: Uint8Array,
	withSourceCodeInfo: boolean,
): FileDescriptorProto {
	const { rest, taken } = split(bytes, [SOURCE_CODE_INFO_OF_FILE]);
	const file = fromBinary(FileDescriptorProtoSchema, rest);
	if (withSourceCodeInfo) {
		file.sourceCodeInfo = readSourceCodeInfo(
			taken.get(SOURCE_CODE_INFO_OF_FILE) ?? [],
		);
	}
	return file;
}

function readSourceCodeInfo(chunks: readonly Uint8Array[]): SourceCodeInfo {
	const info = create(SourceCodeInfoSchema);
	for (const bytes of chunks) {
		const { taken } = split(bytes, [LOCATION_OF_SOURCE_CODE_INFO]);
		for (const location of taken.get(LOCATION_OF_SOURCE_CODE_INFO) ?? []) {
			if (isNeeded(location)) {
				info.location.push(fromBinary(SourceCodeInfo_LocationSchema, location));
			}
		}
	}
	return info;
}

/** Whether a location is needed. It looks only at the first bytes, where compilers write the path as a packed field. */
function isNeeded(location: Uint8Array): boolean {
	const [tag, length = 0, first = 0] = location;
	const packedPath = tag === 0x0a && length > 0 && length < 0x80;
	return !packedPath || PATHS.has(first);
}

function nameOf(file: Uint8Array): string {
	const [name = new Uint8Array()] =
		split(file, [NAME_OF_FILE]).taken.get(NAME_OF_FILE) ?? [];
	return new TextDecoder().decode(name);
}

/** Splits a message into the values of some length-delimited fields, and the message without these fields. */
function split(
	message: Uint8Array,
	numbers: readonly number[],
): { rest: Uint8Array; taken: Map<number, Uint8Array[]> } {
	const reader = new BinaryReader(message);
	const rest: Uint8Array[] = [];
	const taken = new Map<number, Uint8Array[]>();
	while (reader.pos < reader.len) {
		const start = reader.pos;
		const [number, wireType] = reader.tag();
		if (wireType === WireType.LengthDelimited && numbers.includes(number)) {
			const value = reader.bytes();
			const values = taken.get(number);
			if (values === undefined) {
				taken.set(number, [value]);
			} else {
				values.push(value);
			}
		} else {
			reader.skip(wireType, number);
			rest.push(message.subarray(start, reader.pos));
		}
	}
	return { rest: Buffer.concat(rest), taken };
}
