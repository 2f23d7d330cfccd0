import type { DescFile, DescService } from "@bufbuild/protobuf";
import { nearMiss } from "../../checks/near-miss.ts";
import type { ConfiguredName } from "./config-files.ts";

/** Takes a warning about what is probably a mistake, but not an error. */
export type Warn = (warning: string) => void;

/**
 * Returns a warning if a service or a method that a config names does not exist, and undefined otherwise. buf runs the
 * plugin for one directory at a time, so that most services are not part of the run. A service counts as missing only if
 * its package is generated without it, or if a package of nearly the same name has a service of the same name.
 *
 * @param files the files to generate
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
		return `${typeName} does not exist: ${
			inPackage === "" ? "no file without a package" : `package ${inPackage}`
		} has ${inPackage === "" ? "a" : "no"} service ${name}${suggestion(nearMiss(name, all))}`;
	}
	const meant = nearMiss(
		typeName,
		services
			.filter((service) => service.name === name)
			.map((service) => service.typeName)
			// Another version of the package is in another directory, and is not meant.
			.filter((other) => withoutVersion(other) !== withoutVersion(typeName)),
	);
	return meant === undefined
		? undefined
		: `${typeName} does not exist${suggestion(meant)}`;
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
