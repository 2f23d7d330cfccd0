import { join } from "node:path";
import { create, createFileRegistry, type DescFile } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createEcmaScriptPlugin } from "@bufbuild/protoplugin";
import { describe, expect, it } from "vitest";
import { casesDirectory } from "../../testdata/harness/golden.ts";
import { recordRequests } from "../../testdata/harness/requests.ts";
import {
	assertDistinctMethods,
	clientMethodName,
	messageNames,
	type ServiceNames,
	serviceNames,
} from "./names.ts";

const cases = [
	"custom-options",
	"file-names",
	"message-named-like-client",
	"messages-named-like-globals",
	"names-in-lower-case",
	"nested-request-types",
	"proto2-groups-and-required",
	"well-known-request-types",
];

describe("messageNames", () => {
	it.for(cases)(
		"gives the names that protoc-gen-es gives, in %s",
		async (golden) => {
			const { all } = await recordRequests(join(casesDirectory, golden));
			const ours: string[] = [];
			const theirs: string[] = [];
			createEcmaScriptPlugin({
				name: "names",
				version: "v1",
				generateTs(schema) {
					for (const file of schema.allFiles) {
						const f = schema.generateFile(`${file.name}.ts`);
						const names = messageNames(file);
						ours.push(names.schema(file));
						theirs.push(f.importSchema(file).name);
						for (const type of schema.typesInFile(file)) {
							ours.push(names.schema(type));
							theirs.push(f.importSchema(type).name);
							if (type.kind === "message" || type.kind === "enum") {
								ours.push(names.shape(type));
								theirs.push(f.importShape(type).name);
							}
						}
					}
				},
			}).run({ ...all, parameter: "target=ts" });
			expect(ours).toEqual(theirs);
			expect(ours.length).toBeGreaterThan(1);
		},
	);

	it("gives different names to types that would have the same name", () => {
		const file = fileWith({ messages: ["Foo", "FooSchema"] });
		const names = messageNames(file);
		expect(file.messages.map((message) => names.schema(message))).toEqual([
			"EmptySchema",
			"FooSchema$",
			"FooSchemaSchema",
		]);
	});
});

describe("serviceNames", () => {
	it("keeps the service's name as in the proto", () => {
		expect(namesOf({ services: ["payment_v2"] })).toEqual([
			{
				client: "payment_v2Client",
				factory: "Newpayment_v2Client",
				server: "payment_v2Server",
				register: "Registerpayment_v2Server",
				unimplemented: "Unimplementedpayment_v2Server",
				policies: "payment_v2Policies",
			},
		]);
	});

	it("adds a $ to a name that a message has, and leaves the others unchanged", () => {
		expect(
			namesOf({ services: ["Foo"], messages: ["FooClient"] })[0],
		).toMatchObject({ client: "FooClient$", factory: "NewFooClient" });
	});

	it("adds more $ while the name is still taken", () => {
		// protoc-gen-es names the nested message Foo_Client$.
		const [names] = namesOf({
			services: ["Foo_"],
			messages: ["Foo_Client", "Foo"],
			nested: "Client",
		});
		expect(names).toMatchObject({ client: "Foo_Client$$" });
	});

	it("keeps all names if a service is added at the end of the file", () => {
		const [before] = namesOf({ services: ["Foo"] });
		const [after] = namesOf({ services: ["Foo", "NewFoo"] });
		expect(after).toEqual(before);
	});
});

describe("clientMethodName", () => {
	it.for([
		["Then", "then$"],
		["__proto__", "__proto__$"],
		["Constructor", "constructor$"],
		["URLFetch", "uRLFetch"],
		["get_foo", "get_foo"],
	] as const)("calls %s %s", ([name, expected]) => {
		const [service] = fileWith({ services: ["Foo"], methods: [name] }).services;
		expect(service?.methods.map(clientMethodName)).toEqual([expected]);
	});
});

describe("assertDistinctMethods", () => {
	it("names the file, the service and both methods", () => {
		const [service] = fileWith({
			services: ["Foo"],
			methods: ["Get", "Put", "get"],
		}).services;
		expect(() => service && assertDistinctMethods(service)).toThrow(
			"test.proto: test.Foo: methods Get and get would both be called get",
		);
	});
});

function namesOf(contents: Parameters<typeof fileWith>[0]): ServiceNames[] {
	const file = fileWith(contents);
	return file.services.map(serviceNames(file, messageNames(file)));
}

function fileWith({
	services = [],
	methods = [],
	messages = [],
	nested,
}: {
	services?: readonly string[];
	methods?: readonly string[];
	messages?: readonly string[];
	/** The name of a message to nest in each message. */
	nested?: string;
}): DescFile {
	const { files } = createFileRegistry(
		create(FileDescriptorSetSchema, {
			file: [
				{
					name: "test.proto",
					package: "test",
					syntax: "proto3",
					messageType: [
						{ name: "Empty" },
						...messages.map((name) => ({
							name,
							nestedType: nested === undefined ? [] : [{ name: nested }],
						})),
					],
					service: services.map((name) => ({
						name,
						method: methods.map((method) => ({
							name: method,
							inputType: ".test.Empty",
							outputType: ".test.Empty",
						})),
					})),
				},
			],
		}),
	);
	const [file] = files;
	if (file === undefined) {
		throw new Error("the registry has no file");
	}
	return file;
}
