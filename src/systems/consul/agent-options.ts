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

/** Where the Consul agent is, and who asks. What is not given is as the environment has it for Consul's own commands. */
export interface ConsulAgentOptions {
	/**
	 * "host:port" (the port is 8500 where there is none), "http://host:port", "https://host:port" or "unix:/path".
	 * Default: `CONSUL_HTTP_ADDR`, else 127.0.0.1:8500.
	 */
	agent?: string | undefined;
	/** Of Consul's ACLs; a function is asked before each request. Default: what the file `CONSUL_HTTP_TOKEN_FILE` holds, else `CONSUL_HTTP_TOKEN`. */
	token?: string | (() => string | Promise<string>) | undefined;
	/**
	 * true: the platform's roots; options as node:tls has them; a function is asked again for each connection. Default:
	 * by the agent's scheme or `CONSUL_HTTP_SSL`, with `CONSUL_CACERT` or `CONSUL_CAPATH`, `CONSUL_CLIENT_CERT`,
	 * `CONSUL_CLIENT_KEY`, `CONSUL_TLS_SERVER_NAME` and `CONSUL_HTTP_SSL_VERIFY`.
	 */
	tls?: boolean | TlsOptions | TlsSource | undefined;
	/** Of Consul Enterprise. Default: `CONSUL_NAMESPACE`, else the token's own. */
	namespace?: string | undefined;
	/** Of Consul Enterprise. Default: `CONSUL_PARTITION`, else the agent's own. */
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

/** The options, checked and made ready for use. */
export interface AgentSetting {
	/** As `HttpApi` takes it. */
	readonly origin: string;
	readonly tls: TlsSource;
	readonly headers: () => Promise<Record<string, string>>;
	/** What every request has behind the "?". */
	readonly query: Readonly<Record<string, string | undefined>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Options that the table has accepted, and the environment, made ready for use.
 *
 * @throws OptionError for options that do not go together, and for what the environment should not have
 */
export function settleAgent(
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
			`is set, and ${where} is ${shown(address)}; write it with https:, or without a scheme`,
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

/** Files are read again for each connection, so that certificates can change. */
function tlsOfEnvironment(variable: Variable): TlsSource {
	const verify = flag(
		variable("CONSUL_HTTP_SSL_VERIFY"),
		"CONSUL_HTTP_SSL_VERIFY",
	);
	const servername = variable("CONSUL_TLS_SERVER_NAME");
	const authority = variable("CONSUL_CACERT");
	const authorities = variable("CONSUL_CAPATH");
	const cert = beside(variable, "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY");
	const key = beside(variable, "CONSUL_CLIENT_KEY", "CONSUL_CLIENT_CERT");
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
			options.cert = await held(cert, "CONSUL_CLIENT_CERT");
		}
		if (key !== undefined) options.key = await held(key, "CONSUL_CLIENT_KEY");
		return options;
	};
}

/** A variable that means something only beside another. */
function beside(
	variable: Variable,
	name: string,
	other: string,
): string | undefined {
	const value = variable(name);
	if (value !== undefined && variable(other) === undefined) {
		throw new OptionError(
			other,
			`is missing beside ${name}; a certificate is shown with its key`,
			"missing",
		);
	}
	return value;
}

/** Of all files in a directory and in those within; one without a certificate is an error, as to Consul's own commands. */
async function certificatesIn(
	directory: string,
	where: string,
): Promise<string> {
	const entries = await readdir(directory, {
		recursive: true,
		// Else links to directories are followed, be it in a circle.
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
		`${shown(directory)} is a directory without a file; put the certificates of the authorities there, in PEM`,
	);
}

async function certificates(path: string, where: string): Promise<string> {
	const text = await held(path, where);
	if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
	throw new OptionError(
		where,
		`${shown(path)} has no certificate in it; write them in PEM`,
	);
}

/** @throws OptionError that names the variable that named the file */
function held(path: string, where: string): Promise<string> {
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
		const text = (await held(file, "CONSUL_HTTP_TOKEN_FILE")).trim();
		return text === ""
			? inEnvironment
			: headerValue(text, "CONSUL_HTTP_TOKEN_FILE");
	};
	return async () => {
		const headers: Record<string, string> = {};
		const secret = await tokenOf();
		if (secret !== undefined) headers["x-consul-token"] = secret;
		if (user !== undefined) {
			// What has no colon is a name without a password (RFC 7617, section 2).
			const pair = user.includes(":") ? user : `${user}:`;
			headers["authorization"] =
				`Basic ${Buffer.from(pair).toString("base64")}`;
		}
		return headers;
	};
}

/** Never shows the value, which is a secret. */
function headerValue(value: unknown, where: string): string {
	if (typeof value === "string" && /^[\x21-\x7e]+$/.test(value)) return value;
	throw new OptionError(
		where,
		typeof value === "string"
			? "is empty or has other characters than printable ASCII in it"
			: `${shown(value)} is not a token; give a string, or a function that returns one`,
	);
}

/** As Go reads it (strconv.ParseBool). */
function flag(value: string | undefined, where: string): boolean | undefined {
	if (value === undefined) return undefined;
	if (/^(1|t|true)$/i.test(value)) return true;
	if (/^(0|f|false)$/i.test(value)) return false;
	throw new OptionError(where, `${shown(value)} is not true or false`);
}
