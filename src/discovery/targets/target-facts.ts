import { OptionError, shown } from "../../checks/option-error.ts";
import type { HostPort } from "./host-port.ts";

/** Where the endpoints of a target come from: what its resolver is made of. */
export type EndpointSource =
	| { readonly kind: "static"; readonly addresses: readonly string[] }
	/** `server` is "address:port" of the name server to ask instead of the system. */
	| ({ readonly kind: "dns"; readonly server?: string } & HostPort)
	| { readonly kind: "srv"; readonly name: string; readonly server?: string }
	| { readonly kind: "file"; readonly path: string }
	| { readonly kind: "memory"; readonly name: string }
	| {
			readonly kind: "consul";
			/** "host:port"; none is the system's default. */
			readonly agent?: string;
			readonly service: string;
			readonly datacenter?: string;
			readonly near?: string;
			readonly filter?: string;
			readonly namespace?: string;
			readonly consistency?: "stale" | "consistent";
			readonly token?: string;
			/** The key that has the service config. */
			readonly config?: string;
	  }
	| {
			readonly kind: "etcd";
			/** "host:port" of each; none is the system's default. */
			readonly hosts: readonly string[];
			/** The key under which the instances are, without a slash at its end. */
			readonly prefix: string;
			/** The key that has the service config. */
			readonly config?: string;
	  }
	| {
			readonly kind: "kubernetes";
			/** "host:port" of the API server; none is that of the cluster we are in. */
			readonly apiServer?: string;
			readonly service: string;
			/** None is the namespace that we are in. */
			readonly namespace?: string;
			/** A number or a name; none is the only port that the service has. */
			readonly port?: number | string;
	  };

/** What a target means, by the rules of its scheme. */
export interface TargetFacts {
	readonly source: EndpointSource;
	/** The host, or the service's name in discovery: what TLS certificates are made out to. */
	readonly serverName: string;
	/** The port that `:authority` has; none where discovery finds it. */
	readonly port?: number;
	/** Where it is not for the port to say. */
	readonly tls?: boolean;
}

/** How a target of each scheme looks, for error messages. */
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

/** The path, which the scheme cannot do without. */
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
			? `names nothing to find; write it as in ${examples[scheme]}`
			: `has ${shown(authority)} where a server stands, and nothing after it; write ${scheme}:///${authority}, with three slashes`,
	);
}

export function refuseAuthority(
	authority: string,
	scheme: SchemeName,
	where: string,
): void {
	if (authority !== "") {
		throw new OptionError(
			where,
			`has ${shown(authority)} after two slashes, where ${scheme}: has nothing; write it as in ${examples[scheme]}`,
		);
	}
}

/** A name as an authority can hold it. */
export function nameInAuthority(name: string): string {
	return /^[\w.~-]+$/.test(name) ? name : "localhost";
}
