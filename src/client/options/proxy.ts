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

/** An HTTP proxy, which leads to servers by CONNECT (RFC 9110 section 9.3.6). */
export interface HttpProxy extends HostPort {
	/** For messages, without secrets: "http://proxy.example:3128 (https_proxy)". */
	readonly name: string;
	/** The value of Proxy-Authorization (RFC 7617). */
	readonly authorization: string | undefined;
}

export type Variables = Readonly<Record<string, string | undefined>>;

const fromEnvironment = ["grpc_proxy", "https_proxy", "http_proxy"] as const;
const exceptions = ["no_grpc_proxy", "no_proxy"] as const;

/**
 * The proxy on the way to a target, if there is one. The environment speaks of
 * names and ports only (gRFC A1), and is read as grpc-js reads it: what is
 * sent to the proxy is the name, unresolved. An option speaks of all targets
 * but sockets, and the environment's exceptions are none to it.
 *
 * @throws OptionError that names the option or the variable with a bad URL
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

/** Whether a value of the option is good. */
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

/** The name and the port that a target consists of: no address, and nothing of this machine. */
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
 * Names are exceptions with all that is below them, and only that with a dot
 * before them; with a port, there alone. Addresses and ranges of them match no
 * name, and need not: what is no name is not led through the environment's proxy.
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

/** "http://user:password@host:port"; the scheme may be left out, the port is 80 by default. */
function readProxy(value: string, where: string): HttpProxy {
	const whole = value.includes("://") ? value : `http://${value}`;
	const url = URL.parse(whole);
	const bad = (problem: string): OptionError =>
		new OptionError(where, `${shown(withoutUser(value))} ${problem}`);
	if (url === null || /\s/.test(value)) {
		throw bad(
			"is not the URL of a proxy; write it as in http://proxy.example:3128",
		);
	}
	if (url.protocol !== "http:") {
		throw bad(
			`has the scheme ${url.protocol} where only http: is spoken to a proxy; TLS to the server goes through that all the same`,
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
		throw bad("has a % in its user or password that begins no UTF-8 character");
	}
}

function basicOf(user: string, password: string): string {
	const pair = `${decodeURIComponent(user)}:${decodeURIComponent(password)}`;
	return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(pair)))}`;
}

function withoutUser(url: string): string {
	return url.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1…@");
}
