import { readFile } from "node:fs/promises";
import { channelOptions } from "../../client/channel-options.ts";
import type { TlsOptions, TlsSource } from "../../client/tls-options.ts";
import {
	type Check,
	type OptionTable,
	text,
} from "../../policy/option-table.ts";
import { PolicyError, shown } from "../../policy/policy-error.ts";
import { parseOrigin } from "../api-origin.ts";

/** Where the Consul agent is, and who asks. What is not given is as the environment has it for Consul's own commands. */
export interface ConsulAgentOptions {
	/**
	 * "host:port" (the port is 8500 where there is none), "http://host:port", "https://host:port" or "unix:/path".
	 * Default: `CONSUL_HTTP_ADDR`, else 127.0.0.1:8500.
	 */
	agent?: string | undefined;
	/** Of Consul's ACLs; a function is asked before each request. Default: `CONSUL_HTTP_TOKEN`, else what the file `CONSUL_HTTP_TOKEN_FILE` holds. */
	token?: string | (() => string | Promise<string>) | undefined;
	/**
	 * true: the platform's roots; options as node:tls has them; a function is asked again for each connection. Default:
	 * by the agent's scheme or `CONSUL_HTTP_SSL`, with `CONSUL_CACERT`, `CONSUL_CLIENT_CERT`, `CONSUL_CLIENT_KEY`,
	 * `CONSUL_TLS_SERVER_NAME` and `CONSUL_HTTP_SSL_VERIFY`.
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
 * @throws PolicyError for options that do not go together, and for what the environment should not have
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
	const address =
		options.agent ?? variable("CONSUL_HTTP_ADDR") ?? "127.0.0.1:8500";
	const origin = originOf(address, where, tls !== undefined && tls !== false);
	if (options.tls && !origin.startsWith("https:")) {
		throw new PolicyError(
			"tls",
			`is set, and ${where} is ${shown(address)}; write it with https:, or without a scheme`,
		);
	}
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
	const files = {
		ca: variable("CONSUL_CACERT"),
		cert: variable("CONSUL_CLIENT_CERT"),
		key: variable("CONSUL_CLIENT_KEY"),
	};
	const servername = variable("CONSUL_TLS_SERVER_NAME");
	return async () => {
		const options: TlsOptions = {};
		if (verify !== undefined) options.rejectUnauthorized = verify;
		if (servername !== undefined) options.servername = servername;
		for (const [name, file] of Object.entries(files)) {
			if (file !== undefined) {
				options[name as keyof typeof files] = await readFile(file);
			}
		}
		return options;
	};
}

function headersOf(
	given: ConsulAgentOptions["token"],
	variable: Variable,
): () => Promise<Record<string, string>> {
	const file = variable("CONSUL_HTTP_TOKEN_FILE");
	const user = variable("CONSUL_HTTP_AUTH");
	const inEnvironment = variable("CONSUL_HTTP_TOKEN");
	const tokenOf = async (): Promise<string | undefined> => {
		if (typeof given === "function") return headerValue(await given(), "token");
		const known = given ?? inEnvironment;
		if (known !== undefined || file === undefined) return known;
		return (await readFile(file, "utf8")).trim();
	};
	return async () => {
		const headers: Record<string, string> = {};
		const secret = await tokenOf();
		if (secret !== undefined) headers["x-consul-token"] = secret;
		if (user !== undefined) {
			headers["authorization"] =
				`Basic ${Buffer.from(user).toString("base64")}`;
		}
		return headers;
	};
}

/** Never shows the value, which is a secret. */
function headerValue(value: unknown, where: string): string {
	if (typeof value === "string" && /^[\x21-\x7e]+$/.test(value)) return value;
	throw new PolicyError(
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
	throw new PolicyError(where, `${shown(value)} is not true or false`);
}
