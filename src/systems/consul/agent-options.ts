import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { OptionError, shown } from "../../checks/option-error.ts";
import {
	type Check,
	type OptionTable,
	text,
} from "../../checks/option-table.ts";
import { channelOptions } from "../../client/options/channel-options.ts";
import { secureContext } from "../../tls/secure-context.ts";
import type { TlsOptions, TlsSource } from "../../tls/tls-options.ts";
import { parseOrigin } from "../api-origin.ts";

/**
 * How to reach the Consul agent. The defaults come from the environment variables that Consul's own commands read
 * (https://developer.hashicorp.com/consul/commands#environment-variables).
 */
export interface ConsulAgentOptions {
	/**
	 * The address of the agent: "host:port" (the default port is 8500), "http://host:port", "https://host:port" or
	 * "unix:/path". Default: `CONSUL_HTTP_ADDR`, or else 127.0.0.1:8500.
	 */
	agent?: string | undefined;
	/**
	 * The ACL token. A function is called before each request. Default: the content of the file that
	 * `CONSUL_HTTP_TOKEN_FILE` names, or else `CONSUL_HTTP_TOKEN`.
	 */
	token?: string | (() => string | Promise<string>) | undefined;
	/**
	 * How to use TLS. `true` trusts Node's certificate authorities; an object holds options of node:tls; a function returns
	 * such options and is called for each connection. Default: by the scheme of the agent's address, or `CONSUL_HTTP_SSL`,
	 * with `CONSUL_CACERT` or `CONSUL_CAPATH`, `CONSUL_CLIENT_CERT`, `CONSUL_CLIENT_KEY`, `CONSUL_TLS_SERVER_NAME` and
	 * `CONSUL_HTTP_SSL_VERIFY`.
	 */
	tls?: boolean | TlsOptions | TlsSource | undefined;
	/** The namespace (Consul Enterprise). Default: `CONSUL_NAMESPACE`, or else the token's namespace. */
	namespace?: string | undefined;
	/** The admin partition (Consul Enterprise). Default: `CONSUL_PARTITION`, or else the agent's partition. */
	partition?: string | undefined;
}

const token: Check = (value, where) =>
	typeof value === "function" ? value : headerValue(value, where);

export const agentOptions: OptionTable<ConsulAgentOptions> = {
	agent: (value, where) => originOf(text(value, where), where, false),
	token,
	tls: channelOptions.tls,
	namespace: text,
	partition: text,
};

/** The checked options of an agent, combined with the environment. */
export interface AgentSetting {
	/** The origin, as `HttpApi` takes it. */
	readonly origin: string;
	readonly tls: TlsSource;
	readonly headers: () => Promise<Record<string, string>>;
	/** The query parameters of every request. */
	readonly query: Readonly<Record<string, string | undefined>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Combines options that the table has accepted with the environment.
 *
 * @throws OptionError for options that contradict each other, and for invalid environment variables
 */
export function agentSetting(
	options: ConsulAgentOptions,
	environment: Environment = process.env,
): AgentSetting {
	const variable = (name: string): string | undefined =>
		environment[name] || undefined;
	const { tls = flag(variable("CONSUL_HTTP_SSL"), "CONSUL_HTTP_SSL") } =
		options;
	const where = options.agent === undefined ? "CONSUL_HTTP_ADDR" : "agent";
	const inEnvironment = variable("CONSUL_HTTP_ADDR") ?? "127.0.0.1:8500";
	const address =
		options.agent ??
		(tls === true && options.tls === undefined
			? inEnvironment.replace(/^http:/i, "https:")
			: inEnvironment);
	const origin = originOf(address, where, tls !== undefined && tls !== false);
	if (options.tls && !origin.startsWith("https:")) {
		throw new OptionError(
			"tls",
			`is set, but ${where} is ${shown(address)}; write it with https:, or without a scheme`,
		);
	}
	if (typeof options.tls === "object") secureContext(options.tls, "tls");
	return {
		origin,
		tls:
			typeof options.tls === "object"
				? () => options.tls as TlsOptions
				: typeof options.tls === "function"
					? options.tls
					: tlsOfEnvironment(variable),
		headers: headersOf(options.token, variable),
		query: {
			ns: options.namespace ?? variable("CONSUL_NAMESPACE"),
			partition: options.partition ?? variable("CONSUL_PARTITION"),
		},
	};
}

function originOf(address: string, where: string, tls: boolean): string {
	const unix = /^unix:(?:\/\/)?(.*)$/.exec(address)?.[1];
	if (unix !== undefined) return parseOrigin(`unix:${unix}`, where).text;
	return address.includes("://")
		? parseOrigin(address, where).text
		: parseOrigin(`http${tls ? "s" : ""}://${address}`, where, 8500).text;
}

type Variable = (name: string) => string | undefined;

/** The TLS options of the environment. Its files are read again for each connection, so that certificates can change. */
function tlsOfEnvironment(variable: Variable): TlsSource {
	const verify = flag(
		variable("CONSUL_HTTP_SSL_VERIFY"),
		"CONSUL_HTTP_SSL_VERIFY",
	);
	const servername = variable("CONSUL_TLS_SERVER_NAME");
	const authority = variable("CONSUL_CACERT");
	const authorities = variable("CONSUL_CAPATH");
	const cert = paired(variable, "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY");
	const key = paired(variable, "CONSUL_CLIENT_KEY", "CONSUL_CLIENT_CERT");
	return async () => {
		const options: TlsOptions = {};
		if (verify !== undefined) options.rejectUnauthorized = verify;
		if (servername !== undefined) options.servername = servername;
		if (authority !== undefined) {
			options.ca = await certificates(authority, "CONSUL_CACERT");
		} else if (authorities !== undefined) {
			options.ca = await certificatesIn(authorities, "CONSUL_CAPATH");
		}
		if (cert !== undefined) {
			options.cert = await contentOf(cert, "CONSUL_CLIENT_CERT");
		}
		if (key !== undefined) {
			options.key = await contentOf(key, "CONSUL_CLIENT_KEY");
		}
		return options;
	};
}

/** Returns the value of a variable. Throws an OptionError if it is set but the other variable, which it needs, is not. */
function paired(
	variable: Variable,
	name: string,
	other: string,
): string | undefined {
	const value = variable(name);
	if (value !== undefined && variable(other) === undefined) {
		throw new OptionError(
			other,
			`is missing beside ${name}; a certificate is used with its private key, so set both`,
			"missing",
		);
	}
	return value;
}

/**
 * Reads the certificates in all files of a directory and its subdirectories. A file without a certificate is an error, as
 * it is for Consul's own commands.
 */
async function certificatesIn(
	directory: string,
	where: string,
): Promise<string> {
	const entries = await readdir(directory, {
		recursive: true,
		// Without this option Node follows links to directories, even in a circle.
		withFileTypes: true,
	}).catch((error: Error) => unreadable(directory, where, error));
	const pems: string[] = [];
	for (const { parentPath, name } of entries) {
		const path = join(parentPath, name);
		const found = await stat(path).catch((error: Error) =>
			unreadable(path, where, error),
		);
		if (!found.isDirectory()) {
			pems.push(await certificates(path, where));
		}
	}
	if (pems.length > 0) return pems.join("\n");
	throw new OptionError(
		where,
		`${shown(directory)} is a directory without files; put the authorities' certificates there, in PEM`,
	);
}

async function certificates(path: string, where: string): Promise<string> {
	const text = await contentOf(path, where);
	if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
	throw new OptionError(where, `${shown(path)} contains no certificate in PEM`);
}

/** Reads a file. Rejects with an OptionError that names the variable that holds its path. */
function contentOf(path: string, where: string): Promise<string> {
	return readFile(path, "utf8").catch((error: Error) =>
		unreadable(path, where, error),
	);
}

function unreadable(path: string, where: string, { message }: Error): never {
	throw new OptionError(where, `${shown(path)} cannot be read: ${message}`);
}

function headersOf(
	given: ConsulAgentOptions["token"],
	variable: Variable,
): () => Promise<Record<string, string>> {
	const user = variable("CONSUL_HTTP_AUTH");
	const file = variable("CONSUL_HTTP_TOKEN_FILE");
	const inEnvironment =
		given === undefined ? variable("CONSUL_HTTP_TOKEN") : undefined;
	if (inEnvironment !== undefined) {
		headerValue(inEnvironment, "CONSUL_HTTP_TOKEN");
	}
	const tokenOf = async (): Promise<string | undefined> => {
		if (typeof given === "function") return headerValue(await given(), "token");
		if (given !== undefined || file === undefined)
			return given ?? inEnvironment;
		const text = (await contentOf(file, "CONSUL_HTTP_TOKEN_FILE")).trim();
		return text === ""
			? inEnvironment
			: headerValue(text, "CONSUL_HTTP_TOKEN_FILE");
	};
	return async () => {
		const headers: Record<string, string> = {};
		const secret = await tokenOf();
		if (secret !== undefined) headers["x-consul-token"] = secret;
		if (user !== undefined) {
			// A value without a colon is a user name without a password (RFC 7617, section 2).
			const pair = user.includes(":") ? user : `${user}:`;
			headers["authorization"] =
				`Basic ${Buffer.from(pair).toString("base64")}`;
		}
		return headers;
	};
}

/** Accepts a value that can be sent in a header. The error does not show it, because it is a secret. */
function headerValue(value: unknown, where: string): string {
	if (typeof value === "string" && /^[\x21-\x7e]+$/.test(value)) return value;
	throw new OptionError(
		where,
		typeof value === "string"
			? "is empty or contains characters other than printable ASCII"
			: `${shown(value)} is not a token; give a string, or a function that returns one`,
	);
}

/** Reads a boolean as Go's strconv.ParseBool does. */
function flag(value: string | undefined, where: string): boolean | undefined {
	if (value === undefined) return undefined;
	if (/^(1|t|true)$/i.test(value)) return true;
	if (/^(0|f|false)$/i.test(value)) return false;
	throw new OptionError(where, `${shown(value)} is not true or false`);
}
