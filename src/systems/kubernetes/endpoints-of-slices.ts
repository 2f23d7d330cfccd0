import { onlyDefined } from "../../checks/only-defined.ts";
import type { Family } from "../../discovery/dns/family-choice.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import { formatHostPort } from "../../discovery/targets/host-port.ts";
import { DiscoveryError } from "../discovery-error.ts";
import type { Slice, SliceEndpoint, SlicePort } from "./endpoint-slice.ts";

/** A service, as messages name it and as its slices are read. */
export interface WantedService {
	readonly service: string;
	readonly namespace: string;
	/** A number or a name; none is the only one that there is. */
	readonly port: number | string | undefined;
}

/** By family, never empty. */
export type EndpointsByFamily = ReadonlyMap<Family, readonly Endpoint[]>;

/**
 * Joins the slices of a service: those that are ready; where none is, those that
 * end and still answer, as kube-proxy does (KEP-1669). An address that two slices
 * have, as when it moves from one to the other, counts once.
 *
 * @throws DiscoveryError "unknownService" where there is no slice or no such
 * port, "noHealthyInstance" where none can take calls
 */
export function endpointsOfSlices(
	slices: readonly Slice[],
	wanted: WantedService,
): EndpointsByFamily {
	const name = `${wanted.service}.${wanted.namespace}`;
	if (slices.length === 0) {
		throw new DiscoveryError(
			"unknownService",
			`no EndpointSlice in namespace ${wanted.namespace} has the label kubernetes.io/service-name=${wanted.service}: is there a Service of that name, and does it have a selector?`,
		);
	}
	const filled = slices.filter(({ endpoints }) => endpoints.length > 0);
	if (filled.length === 0) {
		throw new DiscoveryError(
			"noHealthyInstance",
			`service ${name} has no endpoints: does any pod match its selector?`,
		);
	}
	const portOf = portChoice(filled, wanted, name);
	const ready = join(filled, portOf, "ready");
	if (ready.size > 0) return ready;
	const draining = join(filled, portOf, "draining");
	if (draining.size > 0) return draining;
	const count = filled.reduce(
		(sum, { endpoints: { length } }) => sum + length,
		0,
	);
	throw new DiscoveryError(
		"noHealthyInstance",
		`service ${name} has ${count === 1 ? "an endpoint, which is not" : `${count} endpoints, none of them`} ready: see the readiness probes of its pods`,
	);
}

type PortChoice = (slice: Slice) => number | undefined;

function join(
	slices: readonly Slice[],
	portOf: PortChoice,
	state: SliceEndpoint["state"],
): Map<Family, Endpoint[]> {
	const joined = new Map<Family, Endpoint[]>();
	const seen = new Set<string>();
	for (const slice of slices) {
		const port = portOf(slice);
		if (port === undefined || slice.family === undefined) continue;
		for (const endpoint of slice.endpoints) {
			if (endpoint.state !== state) continue;
			const { host, zone, attributes } = endpoint;
			const address = formatHostPort({ host, port });
			if (seen.has(address)) continue;
			seen.add(address);
			const group = joined.get(slice.family) ?? [];
			group.push({ address, ...onlyDefined({ zone, attributes }) });
			joined.set(slice.family, group);
		}
	}
	return joined;
}

/** Which port of the pods it is, for each slice: they may differ, as a Service's port may be one that the pods name. */
function portChoice(
	slices: readonly Slice[],
	{ port }: WantedService,
	name: string,
): PortChoice {
	const ports = slices.flatMap((slice) => slice.ports);
	const names = [...new Set(ports.map(({ name }) => name))];
	let choice: PortChoice;
	if (typeof port === "number") {
		// A headless Service may have none, and "any" is a port without a number.
		choice = (slice) =>
			slice.ports.length === 0 ||
			slice.ports.some((one) => (one.port ?? port) === port)
				? port
				: undefined;
	} else {
		const [only] = names.length === 1 ? names : [];
		const wanted = port ?? only;
		if (wanted === undefined) {
			throw new DiscoveryError(
				"unknownService",
				names.length === 0
					? `service ${name} names no TCP port: give the number of one`
					: `service ${name} has several ports: say which, as in kubernetes:///${name}:${names[0] || ports[0]?.port}; they are ${listed(ports)}`,
			);
		}
		choice = (slice) => slice.ports.find((one) => one.name === wanted)?.port;
	}
	if (slices.some((slice) => choice(slice) !== undefined)) return choice;
	throw new DiscoveryError(
		"unknownService",
		`service ${name} has no port ${port ?? "with a number"}: EndpointSlices know the ports of pods (a Service's targetPort), which are ${listed(ports) || "none of TCP"}`,
	);
}

function listed(ports: readonly SlicePort[]): string {
	const each = ports.map(({ name, port = "any" }) =>
		name === "" ? `${port}` : `${name} (${port})`,
	);
	return [...new Set(each)].join(", ");
}
