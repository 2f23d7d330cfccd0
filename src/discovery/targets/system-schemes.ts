import { OptionError, shown } from "../../checks/option-error.ts";
import { formatHostPort, parseHostPort } from "./host-port.ts";
import type { ParsedTarget } from "./parsed-target.ts";
import {
	examples,
	nameInAuthority,
	present,
	refuseAuthority,
	type TargetFacts,
} from "./target-facts.ts";

/** Reads `file:///path`. */
export function file(
	{ authority, path }: ParsedTarget,
	where: string,
): TargetFacts {
	refuseAuthority(authority, "file", where);
	if (path === "" || path.endsWith("/")) {
		throw new OptionError(
			where,
			`names no file; write one, as in ${examples.file}`,
		);
	}
	const stem =
		path
			.split("/")
			.at(-1)
			?.replace(/\.[^.]*$/, "") ?? "";
	return {
		// On Windows, file:///C:/x.json means C:/x.json.
		source: { kind: "file", path: path.replace(/^\/(?=[a-z]:\/)/i, "") },
		serverName: nameInAuthority(stem),
	};
}

/** Reads `memory:///name`. */
export function memory(
	{ authority, path }: ParsedTarget,
	where: string,
): TargetFacts {
	refuseAuthority(authority, "memory", where);
	const name = present(path, "memory", authority, where);
	return {
		source: { kind: "memory", name },
		serverName: nameInAuthority(name),
	};
}

/** Reads `consul://agent/service?parameters`. */
export function consul(
	{ authority, path, parameters }: ParsedTarget,
	where: string,
): TargetFacts {
	const service = present(path, "consul", authority, where);
	if (service.includes("/")) {
		throw new OptionError(
			where,
			`${shown(service)} is not the name of a service; leave the slash out`,
		);
	}
	const consistency = consistencyOf(parameters, where);
	return {
		source: {
			kind: "consul",
			service,
			...(authority === ""
				? {}
				: { agent: formatHostPort(parseHostPort(authority, where, 8500)) }),
			...(consistency === undefined ? {} : { consistency }),
			...Object.fromEntries(
				Object.entries(consulParameters).flatMap(([name, option]) => {
					const value = parameters.get(name);
					if (value === "") {
						throw new OptionError(
							where,
							`has no value after ${name}=; write one, or leave ${name} out`,
						);
					}
					return value === null ? [] : [[option, value]];
				}),
			),
		},
		serverName: nameInAuthority(service),
	};
}

/** The parameters of `consul:` that have a value, with their names in `EndpointSource`. */
const consulParameters = {
	dc: "datacenter",
	near: "near",
	filter: "filter",
	ns: "namespace",
	token: "token",
	config: "config",
} as const;

/** Reads the two parameters that have no value, `stale` and `consistent`. */
function consistencyOf(
	parameters: URLSearchParams,
	where: string,
): "stale" | "consistent" | undefined {
	if (parameters.has("stale") && parameters.has("consistent")) {
		throw new OptionError(where, "is both stale and consistent; remove one");
	}
	for (const name of ["stale", "consistent"] as const) {
		const value = parameters.get(name);
		if (value === null) continue;
		if (value === "" || value === "true") return name;
		throw new OptionError(
			where,
			`has ${name}=${value}; write ${name} alone, or leave it out`,
		);
	}
	return undefined;
}

/** Reads `etcd://host,host/prefix?config=key`. */
export function etcd(
	{ authority, path, parameters }: ParsedTarget,
	where: string,
): TargetFacts {
	const prefix = present(path, "etcd", authority, where).replace(/\/+$/, "");
	const config = parameters.get("config");
	if (config === "") {
		throw new OptionError(where, "has no key after config=; write one");
	}
	return {
		source: {
			kind: "etcd",
			hosts:
				authority === ""
					? []
					: authority
							.split(",")
							.map((host) => formatHostPort(parseHostPort(host, where, 2379))),
			prefix,
			...(config === null ? {} : { config }),
		},
		serverName: nameInAuthority(prefix.split("/").at(-1) ?? ""),
	};
}

/** Reads `kubernetes:///service.namespace:port`. */
export function kubernetes(
	{ authority, path }: ParsedTarget,
	where: string,
): TargetFacts {
	const label = "([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)";
	const match = new RegExp(`^${label}(?:\\.${label})?(?::([a-z0-9-]+))?$`).exec(
		present(path, "kubernetes", authority, where),
	);
	if (match === null) {
		throw new OptionError(
			where,
			`${shown(path)} is not service.namespace:port; write it as in ${examples.kubernetes}`,
		);
	}
	const [, service = "", namespace, port] = match;
	const number =
		port !== undefined && /^\d+$/.test(port)
			? parseHostPort(`${service}:${port}`, where).port
			: undefined;
	return {
		source: {
			kind: "kubernetes",
			service,
			...(namespace === undefined ? {} : { namespace }),
			...(port === undefined ? {} : { port: number ?? port }),
			...(authority === ""
				? {}
				: { apiServer: formatHostPort(parseHostPort(authority, where, 443)) }),
		},
		serverName: namespace === undefined ? service : `${service}.${namespace}`,
		tls: number === 443,
	};
}
