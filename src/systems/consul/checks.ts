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

/** How Consul checks the health of an instance (https://developer.hashicorp.com/consul/docs/services/usage/checks). */
export type ConsulCheck = TtlCheck | GrpcCheck | HttpCheck | TcpCheck;

/** The server reports to the agent that it is healthy, three times per `ttl`. If it reports nothing for that long, it counts as dead. */
export interface TtlCheck {
	kind: "ttl";
	/** The time without a report after which the instance is critical: milliseconds, or "15s"; at least 1 s. Default: 15 s. */
	ttl?: Duration | undefined;
}

/** The agent calls the server's health service (grpc.health.v1). */
export interface GrpcCheck extends ActiveCheck {
	kind: "grpc";
	/** The full name of the service whose health is checked. Default: the server as a whole. */
	service?: string | undefined;
	/** Whether the agent uses TLS. Default: false. */
	tls?: boolean | undefined;
	/** The name that the server's certificate must match. Default: the server's address. */
	tlsServerName?: string | undefined;
	/** Whether the agent accepts any certificate. Default: false. */
	tlsSkipVerify?: boolean | undefined;
}

/** The agent requests a URL, such as that of a sidecar. A status from 200 to 299 means healthy. */
export interface HttpCheck extends ActiveCheck {
	kind: "http";
	/** The URL that the agent requests. */
	url: string;
	/** Whether the agent accepts any certificate. Default: false. */
	tlsSkipVerify?: boolean | undefined;
}

/** The agent connects to the server by TCP. */
export interface TcpCheck extends ActiveCheck {
	kind: "tcp";
}

/** A check that the agent makes, unlike a TTL check. */
interface ActiveCheck {
	/** The time from one check to the next: milliseconds, or "10s". Default: 10 s. */
	interval?: Duration | undefined;
	/** The limit for one check: milliseconds, or "5s". Default: 5 s. */
	timeout?: Duration | undefined;
}

const DEFAULT_TTL_MS = 15_000;

const activeCheck = {
	interval: parsePeriod,
	timeout: parsePeriod,
};

const ttl: Check<number> = (value, where) => {
	const ms = parseDuration(value, where);
	if (ms >= 1000) return ms;
	throw new OptionError(
		where,
		`${shown(value)} is less than 1 s; a server that is busy for a moment would count as dead`,
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
		...activeCheck,
		service: text,
		tls: boolean,
		tlsServerName: text,
		tlsSkipVerify: boolean,
	},
	http: {
		kind: text,
		...activeCheck,
		url: { required: url },
		tlsSkipVerify: boolean,
	},
	tcp: { kind: text, ...activeCheck },
};

const kindOf = oneOf("ttl", "grpc", "http", "tcp");

/** Checks the options of a check. Throws an OptionError that names the invalid option. */
export const consulCheck: Check<ConsulCheck> = (value, where) => {
	const { kind } = record(value, where);
	checkOptions<ConsulCheck>(
		value,
		tables[kindOf(kind, `${where}.kind`)] as OptionTable<ConsulCheck>,
		where,
	);
	return value;
};

/** The TTL of a check in milliseconds; undefined for a check that the agent makes. */
export function ttlOf(check: ConsulCheck): number | undefined {
	return check.kind === "ttl"
		? ttl(check.ttl ?? DEFAULT_TTL_MS, "ttl")
		: undefined;
}

/**
 * Formats a check for the agent's API
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

function pace({ interval = "10s", timeout = "5s" }: ActiveCheck): object {
	return {
		Interval: goDuration(parseDuration(interval, "interval")),
		Timeout: goDuration(parseDuration(timeout, "timeout")),
	};
}

/** Formats a duration for Go's time.ParseDuration. */
export function goDuration(ms: number): string {
	return `${Math.round(ms)}ms`;
}
