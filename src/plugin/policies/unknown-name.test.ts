import { create, createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { unknownName } from "./unknown-name.ts";

type Services = Readonly<Record<string, readonly string[]>>;

/** Returns the warning about "package.Service/Method" if files of these packages are generated. */
function warningFor(
	name: string,
	packages: Readonly<Record<string, Services>>,
): string | undefined {
	const registry = createFileRegistry(
		create(FileDescriptorSetSchema, {
			file: Object.entries(packages).map(([name, services]) => ({
				name: `${name}.proto`,
				package: name,
				syntax: "proto3",
				messageType: [{ name: "Message" }],
				service: Object.entries(services).map(([service, methods]) => ({
					name: service,
					method: methods.map((method) => ({
						name: method,
						inputType: `${name && `.${name}`}.Message`,
						outputType: `${name && `.${name}`}.Message`,
					})),
				})),
			})),
		}),
	);
	const [service = "", method = ""] = name.split("/");
	return unknownName({ path: "config.json", service, method }, [
		...registry.files,
	]);
}

const payments = {
	"shop.v1": { Payment: ["Create", "Refund"], Health: [] },
	"shop.v2": { Payment: ["Create"] },
};

describe("a config may name", () => {
	test.each([
		"shop.v1.Payment/Create",
		"shop.v1.Payment/",
		"shop.v2.Payment/Create",
		"other.Service/Get",
		"other.v1.Payment/Create",
		"shop.v3.Payment/Create",
		"shop.Payment/Create",
	])("%s without a warning, as it exists or may be elsewhere", (name) => {
		expect(warningFor(name, payments)).toBeUndefined();
	});
});

describe("a config that names", () => {
	test.each([
		[
			"shop.v1.Payment/Crate",
			"shop.v1.Payment has no method Crate; did you mean Create?",
		],
		["shop.v2.Payment/Refund", "shop.v2.Payment has no method Refund"],
		[
			"shop.v1.Payment/create",
			"shop.v1.Payment has no method create; did you mean Create?",
		],
		[
			"shop.v1.Paymnt/Create",
			"shop.v1.Paymnt does not exist: package shop.v1 has no service Paymnt; did you mean Payment?",
		],
		[
			"shop.v1.Inventory/",
			"shop.v1.Inventory does not exist: package shop.v1 has no service Inventory",
		],
		[
			"shp.v1.Payment/Create",
			"shp.v1.Payment does not exist; did you mean shop.v1.Payment?",
		],
	])("%s causes a warning", (name, words) => {
		expect(warningFor(name, payments)).toBe(words);
	});

	test("a missing service without a package causes a warning", () => {
		expect(warningFor("Greter/Greet", { "": { Greeter: ["Greet"] } })).toBe(
			"Greter does not exist: no file without a package has a service Greter; did you mean Greeter?",
		);
		expect(warningFor("Greter/Greet", payments)).toBeUndefined();
	});
});
