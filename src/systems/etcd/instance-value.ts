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

/** What an instance says of itself. */
export interface InstanceFields {
	/** "host:port". */
	readonly address: string;
	/** More than 0 for one that is to get calls. */
	readonly weight: number;
	readonly zone?: string | undefined;
	readonly attributes?: Readonly<Record<string, string>> | undefined;
}

/** The tag that has the zone. */
const ZONE = "zone";

/** The weight of an instance that has none, as Kitex has it. */
export const DEFAULT_WEIGHT = 10;

/** The value of a key of an instance, as Kitex's registry-etcd writes it; zone and attributes are its tags. */
export function formatInstance(fields: InstanceFields): string {
	const { address, weight, zone, attributes } = fields;
	const tags = { ...attributes, ...(zone !== undefined && { [ZONE]: zone }) };
	return JSON.stringify({ network: "tcp", address, weight, tags });
}

/**
 * Reads the value of a key of an instance, in any of three forms: Kitex's
 * (`{"network":"tcp","address":"host:port","weight":10,"tags":{…}}`), that of
 * etcd's own naming package (`{"Op":0,"Addr":"host:port","Metadata":{…}}`), or
 * a bare `host:port`. Returns undefined for an instance whose weight says that
 * it is to get no calls.
 *
 * @param where how errors name it
 * @throws OptionError for anything else
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
			`${shown(text)} is no JSON (${(error as Error).message})`,
		);
	}
}

function ofKitex(
	fields: Record<string, unknown>,
	where: string,
): Endpoint | undefined {
	const { network = "tcp", weight = DEFAULT_WEIGHT } = fields;
	if (typeof weight !== "number" || !Number.isFinite(weight)) {
		throw new OptionError(where, `its weight ${shown(weight)} is no number`);
	}
	if (weight <= 0) return undefined;
	return {
		address: address(fields["address"], where, network),
		weight,
		...tagged(fields["tags"]),
	};
}

/** `network` is one of Go's: what is not of them all is not for gRPC. */
function address(value: unknown, where: string, network?: unknown): string {
	if (typeof value !== "string" || value === "") {
		throw new OptionError(
			where,
			value === undefined || value === ""
				? "has no address"
				: `its address ${shown(value)} is no text`,
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
			`its address ${shown(text)} has no host: the server must register one that others can reach`,
		);
	}
	// Kitex puts no brackets around an IPv6 address.
	const [, host = "", port = ""] = /^([^[\]]*:[^[\]]*):(\d+)$/.exec(text) ?? [];
	const whole = isIPv6(host) ? `[${host}]:${port}` : text;
	return formatHostPort(parseHostPort(whole, where));
}

/** The zone, and the other tags, those whose values are text. */
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
