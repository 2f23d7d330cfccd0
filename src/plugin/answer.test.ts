import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
	type CodeGeneratorRequest,
	CodeGeneratorRequestSchema,
	type CodeGeneratorResponse,
	CodeGeneratorResponseSchema,
} from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	type PluginBundle,
	pluginBundle,
} from "../../testdata/harness/plugin-bundle.ts";
import {
	syntheticFile,
	syntheticRequest,
} from "../../testdata/harness/synthetic.ts";

let bundle: PluginBundle;

beforeAll(async () => {
	bundle = await pluginBundle();
});

afterAll(() => bundle[Symbol.asyncDispose]());

describe("the answer", () => {
	it("is TypeScript if the request sets no target", () => {
		const request = syntheticRequest(1);
		for (const parameter of ["", "import_extension=js"]) {
			const { file } = answer({ ...request, parameter });
			expect(file.map(({ name }) => name)).toEqual(["synthetic_rpc.ts"]);
		}
	});

	it("is an error that names both files if two files would be generated with one path", () => {
		const [one, other] = ["same", "other"].map((name) =>
			syntheticFile(name, 1),
		);
		if (one === undefined || other === undefined) {
			throw new Error("there are two files");
		}
		other.name = "same";
		const { error, file } = answer({
			...syntheticRequest(1),
			fileToGenerate: ["same.proto", "same"],
			protoFile: [one, other],
			sourceFileDescriptors: [],
		});
		expect(error).toMatch(
			/^same\.proto and same would both be generated as same_rpc\.ts/,
		);
		expect(file).toEqual([]);
	});

	it.for([
		["js_import_style=legacy_commonjs", /^invalid option "js_import_style/],
		["bootstrap_wkt=true", /^invalid option "bootstrap_wkt"/],
		[
			"target=python",
			/^invalid option "target=python": target must be ts, js, dts or/,
		],
		["emit=none", /^invalid option "emit=none": emit must be client, server/],
		["grpc_service_config=no.json", /^grpc_service_config=no\.json: ENOENT/],
	] as const)("is an error for the option %s", ([parameter, error]) => {
		expect(answer({ ...syntheticRequest(1), parameter }).error).toMatch(error);
	});

	it("is an error that names the file if the request does not contain it", () => {
		const request = { ...syntheticRequest(1), fileToGenerate: ["no.proto"] };
		expect(answer(request).error).toMatch(/no\.proto/);
	});

	it("comes in time for a file of 125 services and 1,000 methods, and for four times as many", () => {
		for (const services of [125, 500]) {
			const startedAt = performance.now();
			const { file } = answer(syntheticRequest(services));
			expect(file[0]?.content).toContain(`NewService${services - 1}Client`);
			// It takes less than a second. Computing the names again for each use would take minutes.
			expect(performance.now() - startedAt).toBeLessThan(20_000);
		}
	});

	it("does not depend on the language of the user", () => {
		const request = syntheticRequest(1);
		const [method] = request.protoFile[0]?.service[0]?.method ?? [];
		const messages = request.protoFile[0]?.messageType ?? [];
		if (method === undefined || messages[0] === undefined) {
			throw new Error("there is a method with a request");
		}
		messages[0].name = "aRequest";
		method.inputType = ".synthetic.aRequest";
		const { file } = answer(request);
		// Sorted by code units: capital letters come first.
		expect(file[0]?.content).toMatch(/import type \{ Request1.*, aRequest/);
	});
});

function answer(request: CodeGeneratorRequest): CodeGeneratorResponse {
	const bytes = toBinary(CodeGeneratorRequestSchema, request);
	return fromBinary(CodeGeneratorResponseSchema, bundle.answer(bytes));
}
