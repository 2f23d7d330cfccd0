import { OptionError, shown } from "../../checks/option-error.ts";
import { type Address, formatAddress, parseAddress } from "./address.ts";
import { formatHostPort, isIPv4, isIPv6, parseHostPort } from "./host-port.ts";
import type { ParsedTarget } from "./parsed-target.ts";
import {
	examples,
	present,
	refuseAuthority,
	type TargetFacts,
} from "./target-facts.ts";

/** Reads `dns:///host:port`, and `host:port` without a scheme. */
export function dns(
	{ authority, path }: ParsedTarget,
	where: string,
): TargetFacts {
	const { host, port } = parseHostPort(
		present(path, "dns", authority, where),
		where,
		443,
	);
	const server = nameServer(authority, where);
	return {
		source: { kind: "dns", host, port, ...server },
		serverName: host,
		port,
	};
}

/** Reads `srv:///name`. */
export function srv(
	{ authority, path }: ParsedTarget,
	where: string,
): TargetFacts {
	const name = present(path, "srv", authority, where);
	if (name.includes(":")) {
		throw new OptionError(
			where,
			`${shown(name)} has a port; SRV records hold the ports, so leave it out`,
		);
	}
	const { host } = parseHostPort(name, where, 0);
	return {
		source: { kind: "srv", name: host, ...nameServer(authority, where) },
		// In _grpc._tcp.name, the service and the protocol are not part of the domain (RFC 2782).
		serverName: host.replace(/^_[^.]+\._[^.]+\.(?=.)/, ""),
	};
}

function nameServer(authority: string, where: string): { server?: string } {
	if (authority === "") {
		return {};
	}
	const server = parseHostPort(authority, where, 53);
	if (!isIPv4(server.host) && !isIPv6(server.host)) {
		throw new OptionError(
			where,
			`the name server ${shown(authority)} is not an IP address; if it is the name to find, write three slashes before it`,
		);
	}
	return { server: formatHostPort(server) };
}

/** Reads `ipv4:` and `ipv6:`, which hold one or more addresses. */
export function ip(
	{ scheme, authority, path }: ParsedTarget,
	where: string,
): TargetFacts {
	const family = scheme === "ipv4" ? "ipv4" : "ipv6";
	refuseAuthority(authority, family, where);
	const addresses = path.split(",").map((text) => {
		const address = parseHostPort(text, where, 443);
		if (!(family === "ipv4" ? isIPv4 : isIPv6)(address.host)) {
			throw new OptionError(
				where,
				`${shown(text)} is not an ${family === "ipv4" ? "IPv4" : "IPv6"} address; write it as in ${examples[family]}, a name as dns:///${text}`,
			);
		}
		return address;
	});
	return staticFacts(
		addresses.map((address) => ({ kind: "tcp", ...address })),
		addresses[0]?.host ?? "",
	);
}

/** Reads `unix:` and `unix-abstract:`. */
export function unix(
	{ scheme, authority, path }: ParsedTarget,
	where: string,
): TargetFacts {
	refuseAuthority(authority, "unix", where);
	return staticFacts([parseAddress(`${scheme}:${path}`, where)], "localhost");
}

/** Reads `http:` and `https:`. */
export function http(
	{ scheme, authority, path }: ParsedTarget,
	where: string,
): TargetFacts {
	if (path !== "") {
		throw new OptionError(
			where,
			`has a path, ${shown(`/${path}`)}; the paths of gRPC are its methods, so leave it out`,
		);
	}
	const tls = scheme === "https";
	const address = parseHostPort(authority, where, tls ? 443 : 80);
	return {
		...staticFacts([{ kind: "tcp", ...address }], address.host),
		tls,
	};
}

function staticFacts(
	addresses: readonly Address[],
	serverName: string,
): TargetFacts {
	const ports = new Set(
		addresses.map((address) =>
			address.kind === "tcp" ? address.port : undefined,
		),
	);
	const [port] = ports;
	return {
		source: { kind: "static", addresses: addresses.map(formatAddress) },
		serverName,
		// Several addresses give the target a port only if they all have the same one.
		...(ports.size === 1 && port !== undefined ? { port } : {}),
	};
}
