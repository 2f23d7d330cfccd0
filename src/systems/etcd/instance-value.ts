import { OptionError, shown } from "../../checks/option-error.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import {
	formatAddress,
	parseAddress,
} from "../../discovery/targets/address.ts";
import {
	formatHostPort,
	isIPv6,
	parseHostPort,
} from "../../discovery/targets/host-port.ts";

/** The fields of an instance in etcd. */
export interface InstanceFields {
	/** "host:port". */
	readonly address: string;
	/** More than 0 for an instance that gets calls. */
	readonly weight: number;
	readonly zone?: string | undefined;
	readonly attributes?: Readonly<Record<string, string>> | undefined;
}

/** The tag that holds the zone. */
const ZONE = "zone";

/** The weight of an instance without one, the same as in Kitex. */
export const DEFAULT_WEIGHT = 10;

/** Formats the value of an instance's key as Kitex's registry-etcd does. The zone and the attributes become tags. */
export function formatInstance(fields: InstanceFields): string {
	const { address, weight, zone, attributes } = fields;
	const tags = { ...attributes, ...(zone !== undefined && { [ZONE]: zone }) };
	return JSON.stringify({ network: "tcp", address, weight, tags });
}

/**
 * Reads the value of an instance's key. It accepts three forms: Kitex's
 * (`{"network":"tcp","address":"host:port","weight":10,"tags":{…}}`), that of
 * etcd's own naming package (`{"Op":0,"Addr":"host:port","Metadata":{…}}`), and
 * a bare `host:port`. Returns undefined for an instance with a weight of 0 or
 * less, which must get no calls.
 *
 * @param where the name of the key, for error messages
 * @throws OptionError for any other value
 */
export function readInstance(
	value: string,
	where: string,
): Endpoint | undefined {
	const text = value.trim();
	if (!text.startsWith("{")) {
		return { address: address(text, where), weight: DEFAULT_WEIGHT };
	}
	const fields = parsed(text, where);
	return "Addr" in fields
		? {
				address: address(fields["Addr"], where),
				weight: DEFAULT_WEIGHT,
				...tagged(fields["Metadata"]),
			}
		: ofKitex(fields, where);
}

function parsed(text: string, where: string): Record<string, unknown> {
	try {
		return JSON.parse(text);
	} catch (error) {
		throw new OptionError(
			where,
			`${shown(text)} is not JSON (${(error as Error).message})`,
		);
	}
}

function ofKitex(
	fields: Record<string, unknown>,
	where: string,
): Endpoint | undefined {
	const { network = "tcp", weight = DEFAULT_WEIGHT } = fields;
	if (typeof weight !== "number" || !Number.isFinite(weight)) {
		throw new OptionError(where, `its weight ${shown(weight)} is not a number`);
	}
	if (weight <= 0) return undefined;
	return {
		address: address(fields["address"], where, network),
		weight,
		...tagged(fields["tags"]),
	};
}

/** Reads an address. `network` is the name of a network in Go's net package; only TCP and Unix sockets carry gRPC. */
function address(value: unknown, where: string, network?: unknown): string {
	if (typeof value !== "string" || value === "") {
		throw new OptionError(
			where,
			value === undefined || value === ""
				? "has no address"
				: `its address ${shown(value)} is not a string`,
		);
	}
	switch (network) {
		case undefined:
		case "":
		case "tcp":
		case "tcp4":
		case "tcp6":
			return hostPort(value, where);
		case "unix":
			return formatAddress(parseAddress(`unix:${value}`, where));
		default:
			throw new OptionError(where, `its network ${shown(network)} is not tcp`);
	}
}

function hostPort(text: string, where: string): string {
	if (text.startsWith(":")) {
		throw new OptionError(
			where,
			`its address ${shown(text)} has no host: the server must register an address that others can reach`,
		);
	}
	// Kitex writes IPv6 addresses without brackets.
	const [, host = "", port = ""] = /^([^[\]]*:[^[\]]*):(\d+)$/.exec(text) ?? [];
	const whole = isIPv6(host) ? `[${host}]:${port}` : text;
	return formatHostPort(parseHostPort(whole, where));
}

/** Reads the zone and the other tags. Ignores tags whose values are not strings. */
function tagged(tags: unknown): Pick<Endpoint, "zone" | "attributes"> {
	if (typeof tags !== "object" || tags === null || Array.isArray(tags)) {
		return {};
	}
	const { [ZONE]: zone, ...others } = Object.fromEntries(
		Object.entries(tags).filter(([, value]) => typeof value === "string"),
	) as Record<string, string>;
	return {
		...(zone !== undefined && zone !== "" && { zone }),
		...(Object.keys(others).length > 0 && { attributes: others }),
	};
}
