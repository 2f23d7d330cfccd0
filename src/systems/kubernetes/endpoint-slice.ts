import { isIPv4, isIPv6 } from "node:net";
import { onlyDefined } from "../../checks/only-defined.ts";
import { shown } from "../../checks/option-error.ts";
import { record } from "../../checks/option-table.ts";
import type { Family } from "../../discovery/dns/family-choice.ts";

/** The parts of an EndpointSlice (discovery.k8s.io/v1) that a client needs. */
export interface Slice {
	readonly name: string;
	/** Undefined for a slice of host names (FQDN), which is not used. */
	readonly family: Family | undefined;
	/** The TCP ports. */
	readonly ports: readonly SlicePort[];
	readonly endpoints: readonly SliceEndpoint[];
	/** What is invalid in the slice and was left out. */
	readonly problems: readonly string[];
}

export interface SlicePort {
	/** The name of the port; "" if the Service has only one. */
	readonly name: string;
	/** The port of the pods, not that of the Service. Undefined means all ports. */
	readonly port: number | undefined;
}

export interface SliceEndpoint {
	/** An IP address. */
	readonly host: string;
	/** "draining" means that the pod is terminating, but still serves. */
	readonly state: "ready" | "draining" | "notReady";
	readonly zone?: string;
	readonly attributes?: Readonly<Record<string, string>>;
}

/** Reads an EndpointSlice. Throws a TypeError for any other value. Invalid parts are left out and listed in `problems`. */
export function readSlice(value: unknown): Slice {
	const { metadata, addressType, endpoints, ports } = record(value, "object");
	const { name } = record(metadata, "object.metadata");
	if (typeof name !== "string" || typeof addressType !== "string") {
		throw new TypeError("object is not an EndpointSlice");
	}
	const problems: string[] = [];
	const family = families[addressType];
	if (family === undefined) {
		problems.push(
			`has addresses of type ${shown(addressType)}, which are not used; use a dns: target for host names`,
		);
	}
	return {
		name,
		family,
		ports: list(ports, "object.ports").flatMap((port) =>
			readPort(port, problems),
		),
		endpoints:
			family === undefined
				? []
				: list(endpoints, "object.endpoints").flatMap((endpoint) =>
						readEndpoint(endpoint, family, problems),
					),
		problems,
	};
}

const families: Readonly<Record<string, Family>> = { IPv4: "v4", IPv6: "v6" };

/** Go writes an empty list as null. */
function list(value: unknown, where: string): readonly unknown[] {
	if (value === undefined || value === null) return [];
	if (Array.isArray(value)) return value;
	throw new TypeError(`${where} is not a list`);
}

function readPort(value: unknown, problems: string[]): SlicePort[] {
	const { name, port, protocol } = Object(value) as Record<string, unknown>;
	if ((protocol ?? "TCP") !== "TCP") return [];
	if (port !== undefined && port !== null && !isPort(port)) {
		problems.push(`has ${shown(port)} for a port`);
		return [];
	}
	return [
		{
			name: typeof name === "string" ? name : "",
			port: isPort(port) ? port : undefined,
		},
	];
}

function isPort(value: unknown): value is number {
	return (
		Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65535
	);
}

function readEndpoint(
	value: unknown,
	family: Family,
	problems: string[],
): SliceEndpoint[] {
	const { addresses, conditions, zone, nodeName, targetRef } = Object(
		value,
	) as Record<string, unknown>;
	// Several addresses lead to the same pod. All clients use the first one.
	const host: unknown = Array.isArray(addresses) ? addresses[0] : undefined;
	if (typeof host !== "string" || !isOfFamily[family](host)) {
		problems.push(`has ${shown(host)} for an IP${family} address`);
		return [];
	}
	const attributes = onlyDefined({
		...nameOf(targetRef),
		node: text(nodeName),
	});
	return [
		{
			host,
			state: stateOf(conditions),
			...onlyDefined({ zone: text(zone) }),
			...(Object.keys(attributes).length > 0 && { attributes }),
		},
	];
}

const isOfFamily = { v4: isIPv4, v6: isIPv6 };

/** Reads the state. If a condition is missing, `ready` is true, `serving` is the same as `ready`, and `terminating` is false. */
function stateOf(conditions: unknown): SliceEndpoint["state"] {
	const { ready, serving, terminating } = Object(conditions) as Record<
		string,
		unknown
	>;
	if (ready !== false) return "ready";
	return serving === true && terminating === true ? "draining" : "notReady";
}

/** The name of the object that has the address, usually a pod, under its kind. */
function nameOf(targetRef: unknown): Record<string, string> {
	const { kind, name } = Object(targetRef) as Record<string, unknown>;
	const what = (text(kind) ?? "Pod").toLowerCase();
	return typeof name === "string" && name !== "" ? { [what]: name } : {};
}

function text(value: unknown): string | undefined {
	return typeof value === "string" && value !== "" ? value : undefined;
}
