import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
	type CodeGeneratorRequest,
	CodeGeneratorRequestSchema,
	type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, it } from "vitest";
import { casesDirectory } from "../../testdata/harness/golden.ts";
import { recordRequests } from "../../testdata/harness/requests.ts";
import { readRequest } from "./request.ts";

describe("readRequest", () => {
	let bytes: Uint8Array;
	let whole: CodeGeneratorRequest;
	let read: CodeGeneratorRequest;

	beforeAll(async () => {
		const { all } = await recordRequests(join(casesDirectory, "comments"));
		whole = { ...all, parameter: "target=ts" };
		bytes = toBinary(CodeGeneratorRequestSchema, whole);
		read = readRequest(bytes);
	});

	it("reads the files to generate and the parameter", () => {
		const { fileToGenerate, parameter, compilerVersion } = whole;
		expect(read).toMatchObject({ fileToGenerate, parameter });
		expect(read.compilerVersion).toEqual(compilerVersion);
	});

	it("reads each file descriptor once, with the options for generators", () => {
		expect(whole.sourceFileDescriptors).not.toHaveLength(0);
		expect(read.protoFile.map(withoutLocations)).toEqual(
			whole.protoFile
				.map(
					(file) =>
						whole.sourceFileDescriptors.find(
							({ name }) => name === file.name,
						) ?? file,
				)
				.map(withoutLocations),
		);
		expect(read.sourceFileDescriptors).toHaveLength(0);
	});

	it("reads only the source locations of the file, its syntax, its package and its services", () => {
		for (const file of read.protoFile) {
			const all =
				whole.protoFile.find(({ name }) => name === file.name)?.sourceCodeInfo
					?.location ?? [];
			const wanted = all.filter(
				({ path: [first] }) =>
					first === undefined || [2, 6, 12].includes(first),
			);
			expect(wanted.length).toBeLessThan(all.length);
			expect(file.sourceCodeInfo?.location).toEqual(wanted);
		}
	});

	it("reads no source locations of files that are only imported", () => {
		const [name = ""] = whole.fileToGenerate;
		const request = readRequest(
			toBinary(CodeGeneratorRequestSchema, {
				...whole,
				fileToGenerate: [name],
			}),
		);
		const located = request.protoFile.filter((file) => file.sourceCodeInfo);
		expect(located.map((file) => file.name)).toEqual([name]);
	});

	it("fails for a request that is cut off anywhere", () => {
		for (let length = 0; length < bytes.length; length += 7) {
			const cut = bytes.subarray(0, length);
			expect(succeeds(() => readRequest(cut))).toBe(
				succeeds(() => fromBinary(CodeGeneratorRequestSchema, cut)),
			);
		}
	});
});

function withoutLocations({
	sourceCodeInfo: _,
	...file
}: FileDescriptorProto): object {
	return file;
}

function succeeds(read: () => unknown): boolean {
	try {
		read();
		return true;
	} catch {
		return false;
	}
}
