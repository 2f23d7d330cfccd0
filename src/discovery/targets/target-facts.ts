import { OptionError, shown } from "../../checks/option-error.ts";
import type { HostPort } from "./host-port.ts";

/** Where the endpoints of a target come from: the arguments of its resolver. */
export type EndpointSource =
	| { readonly kind: "static"; readonly addresses: readonly string[] }
	/** `server` is "address:port" of a name server. Default: the system's own lookup. */
	| ({ readonly kind: "dns"; readonly server?: string } & HostPort)
	| { readonly kind: "srv"; readonly name: string; readonly server?: string }
	| { readonly kind: "file"; readonly path: string }
	| { readonly kind: "memory"; readonly name: string }
	| {
			readonly kind: "consul";
			/** "host:port" of the agent. Default: the default of the Consul resolver. */
			readonly agent?: string;
			readonly service: string;
			readonly datacenter?: string;
			readonly near?: string;
			readonly filter?: string;
			readonly namespace?: string;
			readonly consistency?: "stale" | "consistent";
			readonly token?: string;
			/** The key that holds the service config. */
			readonly config?: string;
	  }
	| {
			readonly kind: "etcd";
			/** "host:port" of each member. If empty, the default of the etcd resolver applies. */
			readonly hosts: readonly string[];
			/** The key prefix of the instances, without a slash at its end. */
			readonly prefix: string;
			/** The key that holds the service config. */
			readonly config?: string;
	  }
	| {
			readonly kind: "kubernetes";
			/** "host:port" of the API server. Default: that of the cluster in which the program runs. */
			readonly apiServer?: string;
			readonly service: string;
			/** Default: the namespace in which the program runs. */
			readonly namespace?: string;
			/** The number or the name of a port. Default: the only port of the service. */
			readonly port?: number | string;
	  };

/** What a target means by the rules of its scheme. */
export interface TargetFacts {
	readonly source: EndpointSource;
	/** The name that the server's TLS certificate must match: the host, or the service's name in discovery. */
	readonly serverName: string;
	/** The port in `:authority`; absent if discovery finds the ports. */
	readonly port?: number;
	/** Whether connections use TLS. If absent, the port decides: 443 means TLS. */
	readonly tls?: boolean;
}

/** An example target of each scheme, for error messages. */
export const examples = {
	dns: "dns:///host:port",
	srv: "srv:///_grpc._tcp.name",
	ipv4: "ipv4:10.0.0.1:50051",
	ipv6: "ipv6:[::1]:50051",
	unix: "unix:///run/x.sock",
	"unix-abstract": "unix-abstract:x",
	http: "http://host:port",
	https: "https://host:port",
	file: "file:///etc/endpoints.json",
	memory: "memory:///name",
	consul: "consul://agent:8500/service",
	etcd: "etcd://host:2379,host2:2379/prefix/service",
	kubernetes: "kubernetes:///service.namespace:port",
} as const;

export type SchemeName = keyof typeof examples;

/** Returns the path. Throws an OptionError if it is empty. */
export function present(
	path: string,
	scheme: SchemeName,
	authority: string,
	where: string,
): string {
	if (path.replaceAll("/", "") !== "") {
		return path;
	}
	throw new OptionError(
		where,
		authority === ""
			? `names nothing to resolve; write it as in ${examples[scheme]}`
			: `has ${shown(authority)} in the place of a server, and no name after it; write ${scheme}:///${authority}, with three slashes`,
	);
}

/** Throws an OptionError if the target has an authority, for schemes that have none. */
export function refuseAuthority(
	authority: string,
	scheme: SchemeName,
	where: string,
): void {
	if (authority !== "") {
		throw new OptionError(
			where,
			`has ${shown(authority)} after two slashes, but ${scheme}: names no server; write it as in ${examples[scheme]}`,
		);
	}
}

/** Returns the name if it can be an authority, or else "localhost". */
export function nameInAuthority(name: string): string {
	return /^[\w.~-]+$/.test(name) ? name : "localhost";
}
