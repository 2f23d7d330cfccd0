import { OptionError, shown } from "../../checks/option-error.ts";
import { type Check, text } from "../../checks/option-table.ts";
import { parseAddress } from "../../discovery/targets/address.ts";
import {
	bracketed,
	type HostPort,
	isIPv4,
	isIPv6,
} from "../../discovery/targets/host-port.ts";
import type { EndpointSource } from "../../discovery/targets/target-facts.ts";

/** An HTTP proxy that tunnels connections with the CONNECT method (RFC 9110 section 9.3.6). */
export interface HttpProxy extends HostPort {
	/** The proxy as error messages show it, without user and password: "http://proxy.example:3128 (https_proxy)". */
	readonly name: string;
	/** The value of the `Proxy-Authorization` header (RFC 7617), if the URL contains a user. */
	readonly authorization: string | undefined;
}

export type Variables = Readonly<Record<string, string | undefined>>;

const fromEnvironment = ["grpc_proxy", "https_proxy", "http_proxy"] as const;
const exceptions = ["no_grpc_proxy", "no_proxy"] as const;

/**
 * Chooses the HTTP proxy for a target; returns undefined if there is none.
 *
 * The option `proxy` applies to all targets but Unix sockets, and ignores `no_proxy`. The environment's proxy applies
 * only to targets that are a host name and a port (gRFC A1), and its variables are read as grpc-js reads them.
 *
 * @throws OptionError that names the option or the environment variable with a bad URL
 */
export function chooseProxy(
	option: string | false | undefined,
	source: EndpointSource | undefined,
	variables: Variables,
): HttpProxy | undefined {
	if (option === false) return undefined;
	if (option !== undefined) return readProxy(option, "proxy");
	const target = namedTarget(source);
	if (target === undefined || isExempt(target, variables)) return undefined;
	const name = fromEnvironment.find((name) => variables[name]);
	return name && readProxy(variables[name] as string, name);
}

/** Checks the option `proxy`. */
export const proxyOption: Check<string | false> = (value, where) => {
	if (value === false) return value;
	if (typeof value !== "string") {
		throw new OptionError(
			where,
			`${shown(value)} is neither the URL of a proxy nor false`,
		);
	}
	readProxy(text(value, where), where);
	return value;
};

/** The host and port of a target that is a host name and a port. Undefined for IP addresses, localhost and sockets. */
function namedTarget(source: EndpointSource | undefined): HostPort | undefined {
	const target =
		source?.kind === "dns"
			? source
			: source?.kind === "static" && source.addresses.length === 1
				? parseAddress(source.addresses[0] as string, "target")
				: undefined;
	if (target === undefined || target.kind === "unix") return undefined;
	const host = hostOf(target);
	return isIPv4(host) || isIPv6(host) || /(^|\.)localhost$/.test(host)
		? undefined
		: { host, port: target.port };
}

function hostOf({ host }: HostPort): string {
	return host.toLowerCase().replace(/\.$/, "");
}

/**
 * Whether `no_grpc_proxy` or `no_proxy` lists the host. "shop.example" matches the name and its subdomains,
 * ".shop.example" only the subdomains, "shop.example:443" only that port, "*" every host. IP addresses and ranges need not
 * be matched, because the environment's proxy is never used for IP addresses.
 */
function isExempt({ host, port }: HostPort, variables: Variables): boolean {
	const name = exceptions.find((name) => variables[name]);
	return (name === undefined ? "" : (variables[name] as string))
		.split(",")
		.map((entry) => entry.trim().toLowerCase())
		.some((entry) => {
			if (entry === "*") return true;
			const [, domain = "", only] =
				/^\*?([^:]+?)\.?(?::(\d+))?$/.exec(entry) ?? [];
			return (
				domain !== "" &&
				(only === undefined || Number(only) === port) &&
				(domain.startsWith(".")
					? host.endsWith(domain)
					: host === domain || host.endsWith(`.${domain}`))
			);
		});
}

/** Parses "http://user:password@host:port". The scheme may be omitted; the default port is 80. */
function readProxy(value: string, where: string): HttpProxy {
	const whole = value.includes("://") ? value : `http://${value}`;
	const url = URL.parse(whole);
	const bad = (problem: string): OptionError =>
		new OptionError(where, `${shown(withoutUser(value))} ${problem}`);
	if (url === null || /\s/.test(value)) {
		throw bad(
			"is not the URL of a proxy; write it like http://proxy.example:3128",
		);
	}
	if (url.protocol !== "http:") {
		throw bad(
			`has the scheme ${url.protocol} where only http: is spoken to a proxy; TLS to the server works through it all the same`,
		);
	}
	const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
	const port = Number(url.port || 80);
	if (port === 0) throw bad("has no port that can be reached");
	const at = `http://${bracketed(host)}:${port}`;
	try {
		return {
			host,
			port,
			name: where === "proxy" ? at : `${at} (${where})`,
			authorization:
				url.username === "" ? undefined : basicOf(url.username, url.password),
		};
	} catch {
		throw bad(
			"has a % in its user or password that is not part of a valid escape; write %25 for the sign itself",
		);
	}
}

function basicOf(user: string, password: string): string {
	const pair = `${decodeURIComponent(user)}:${decodeURIComponent(password)}`;
	return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(pair)))}`;
}

function withoutUser(url: string): string {
	return url.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1…@");
}
