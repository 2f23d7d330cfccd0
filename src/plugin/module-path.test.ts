import { create } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema } from "@bufbuild/protobuf/wkt";
import { createEcmaScriptPlugin } from "@bufbuild/protoplugin";
import { describe, expect, it } from "vitest";
import { modulePath } from "./module-path.ts";

describe("modulePath", () => {
	const importers = [
		"a_rpc.js",
		"a/b_rpc.js",
		"a/b/c/d_rpc.js",
		"x y/z_rpc.js",
	];
	const modules = [
		"homing",
		"homing/server",
		"@bufbuild/protobuf/wkt",
		"./a_pb.js",
		"./a/b_pb.js",
		"./a/b/c/d_pb.js",
		"./a/b.v1_pb.js",
		"./google/api/x_pb.js",
		"./x y/z_pb.js",
		"@vendor/protos/a_pb.js",
	];
	const rules = [
		"",
		"homing:@scope/homing",
		"homing:../../client.js",
		"homing/*:./runtime.js",
		"./a/*_pb.js:@acme/messages",
		"./a/**/*_pb.js:@acme/messages/",
		"./google/**:../vendor",
		"*:everything",
		"**/*_pb.js:./elsewhere",
		"./a.b_pb.js:nothing",
	];

	describe.for(["js", "ts", "none"] as const)(
		"with import_extension=%s",
		(extension) => {
			it.for(rules)(
				"writes what protoplugin writes, with rewrite_imports=%s",
				(rule) => {
					const parameter = [
						"target=ts",
						`import_extension=${extension}`,
						...(rule === "" ? [] : [`rewrite_imports=${rule}`]),
					].join(",");
					const ours: string[] = [];
					const { file } = createEcmaScriptPlugin({
						name: "paths",
						version: "v1",
						generateTs(schema) {
							for (const importer of importers) {
								for (const module of modules) {
									const f = schema.generateFile(importer.replace(/js$/, "ts"));
									f.print(f.import("x", module));
									ours.push(modulePath(module, importer, schema.options));
								}
							}
						},
					}).run(create(CodeGeneratorRequestSchema, { parameter }));
					const theirs = file.map(
						({ content }) => /from "(.*)";/.exec(content)?.[1],
					);
					expect(ours).toEqual(theirs);
					expect(ours).toHaveLength(importers.length * modules.length);
				},
			);
		},
	);
});
