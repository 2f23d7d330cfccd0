import type { DescFile, DescService } from "@bufbuild/protobuf";
import { nearMiss } from "../../checks/near-miss.ts";
import type { ConfiguredName } from "./config-files.ts";

/** Is told what is probably a mistake, and no error. */
export type Warn = (warning: string) => void;

/**
 * What is wrong with a service or a method that a config names: that it is not there. buf runs the plugin for one
 * directory at a time, so a service is only missed where others of its package are generated, and a package only where
 * one of nearly its name has that very service.
 *
 * @param files those to generate
 */
export function unknownName(
	{ service: typeName, method }: ConfiguredName,
	files: readonly DescFile[],
): string | undefined {
	const services = files.flatMap((file) => file.services);
	const service = services.find((service) => service.typeName === typeName);
	if (service !== undefined) return unknownMethod(service, method);
	const [, dotted = "", name = ""] = /^(.*\.)?([^.]*)$/.exec(typeName) ?? [];
	const inPackage = dotted.slice(0, -1);
	if (files.some(({ proto }) => proto.package === inPackage)) {
		const all = services
			.filter(({ file }) => file.proto.package === inPackage)
			.map((service) => service.name);
		return `${typeName} is not there: ${
			inPackage === "" ? "what has no package" : `package ${inPackage}`
		} has no service ${name}${suggestion(nearMiss(name, all))}`;
	}
	const meant = nearMiss(
		typeName,
		services
			.filter((service) => service.name === name)
			.map((service) => service.typeName)
			// Versions of a package stand in directories of their own.
			.filter((other) => withoutVersion(other) !== withoutVersion(typeName)),
	);
	return meant === undefined
		? undefined
		: `${typeName} is not there${suggestion(meant)}`;
}

function unknownMethod(
	{ typeName, methods }: DescService,
	method: string,
): string | undefined {
	const names = methods.map(({ name }) => name);
	return method === "" || names.includes(method)
		? undefined
		: `${typeName} has no method ${method}${suggestion(nearMiss(method, names))}`;
}

function suggestion(meant: string | undefined): string {
	return meant === undefined ? "" : `; did you mean ${meant}?`;
}

function withoutVersion(name: string): string {
	return name.replace(/\.v\d+\w*/g, "");
}
