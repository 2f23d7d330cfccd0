import { type Duration, parseDuration } from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import {
	boolean,
	type Check,
	checkOptions,
	type OptionTable,
	oneOf,
	record,
	text,
} from "../../checks/option-table.ts";
import { parsePeriod } from "../../checks/period.ts";

/** How Consul learns whether an instance is fit to take calls (https://developer.hashicorp.com/consul/docs/services/usage/checks). */
export type ConsulCheck = TtlCheck | GrpcCheck | HttpCheck | TcpCheck;

/** The server tells the agent, three times in `ttl`; silence for so long means that it has died. */
export interface TtlCheck {
	kind: "ttl";
	/** 1 s or more. Default: 15 s. */
	ttl?: Duration | undefined;
}

/** The agent asks the server's health service (grpc.health.v1). */
export interface GrpcCheck extends AskedCheck {
	kind: "grpc";
	/** The full name of the service that it asks about. Default: the server as a whole. */
	service?: string | undefined;
	/** Default: plaintext. */
	tls?: boolean | undefined;
	/** What the server's certificate is made out to, if not its address. */
	tlsServerName?: string | undefined;
	/** Accepts any certificate. false. */
	tlsSkipVerify?: boolean | undefined;
}

/** The agent asks a URL, that of a sidecar for example; an answer of 200 to 299 passes. */
export interface HttpCheck extends AskedCheck {
	kind: "http";
	url: string;
	/** Accepts any certificate. false. */
	tlsSkipVerify?: boolean | undefined;
}

/** The agent connects. */
export interface TcpCheck extends AskedCheck {
	kind: "tcp";
}

interface AskedCheck {
	/** From one question to the next. Default: 10 s. */
	interval?: Duration | undefined;
	/** Default: 5 s. */
	timeout?: Duration | undefined;
}

const DEFAULT_TTL_MS = 15_000;

const asked = {
	interval: parsePeriod,
	timeout: parsePeriod,
};

const ttl: Check<number> = (value, where) => {
	const ms = parseDuration(value, where);
	if (ms >= 1000) return ms;
	throw new OptionError(
		where,
		`${shown(value)} is less than 1 s; a server that is busy for a moment would be taken for dead`,
	);
};

const url: Check<string> = (value, where) => {
	const string = text(value, where);
	if (/^https?:\/\/./i.test(string) && URL.canParse(string)) return string;
	throw new OptionError(where, `${shown(value)} is not an HTTP URL`);
};

const tables: {
	readonly [Kind in ConsulCheck["kind"]]: OptionTable<
		Extract<ConsulCheck, { kind: Kind }>
	>;
} = {
	ttl: { kind: text, ttl },
	grpc: {
		kind: text,
		...asked,
		service: text,
		tls: boolean,
		tlsServerName: text,
		tlsSkipVerify: boolean,
	},
	http: {
		kind: text,
		...asked,
		url: { required: url },
		tlsSkipVerify: boolean,
	},
	tcp: { kind: text, ...asked },
};

const kindOf = oneOf("ttl", "grpc", "http", "tcp");

/** Throws OptionError that names the bad option. */
export const consulCheck: Check<ConsulCheck> = (value, where) => {
	const { kind } = record(value, where);
	checkOptions<ConsulCheck>(
		value,
		tables[kindOf(kind, `${where}.kind`)] as OptionTable<ConsulCheck>,
		where,
	);
	return value;
};

/** Milliseconds of silence after which Consul takes the instance for dead; undefined if it does not wait to be told. */
export function ttlOf(check: ConsulCheck): number | undefined {
	return check.kind === "ttl"
		? ttl(check.ttl ?? DEFAULT_TTL_MS, "ttl")
		: undefined;
}

/**
 * The check as the agent's API takes it
 * (https://developer.hashicorp.com/consul/api-docs/agent/check#register-check).
 *
 * @param address "host:port" of the instance
 */
export function checkDefinition(
	check: ConsulCheck,
	address: string,
): Record<string, unknown> {
	switch (check.kind) {
		case "ttl":
			return { TTL: goDuration(ttlOf(check) ?? 0) };
		case "grpc": {
			const { service, tls, tlsServerName, tlsSkipVerify } = check;
			return {
				GRPC: service === undefined ? address : `${address}/${service}`,
				GRPCUseTLS: tls ?? false,
				...(tlsServerName !== undefined && { TLSServerName: tlsServerName }),
				TLSSkipVerify: tlsSkipVerify ?? false,
				...pace(check),
			};
		}
		case "http":
			return {
				HTTP: check.url,
				TLSSkipVerify: check.tlsSkipVerify ?? false,
				...pace(check),
			};
		case "tcp":
			return { TCP: address, ...pace(check) };
	}
}

function pace({ interval = "10s", timeout = "5s" }: AskedCheck): object {
	return {
		Interval: goDuration(parseDuration(interval, "interval")),
		Timeout: goDuration(parseDuration(timeout, "timeout")),
	};
}

/** As Go's time.ParseDuration reads it. */
export function goDuration(ms: number): string {
	return `${Math.round(ms)}ms`;
}
