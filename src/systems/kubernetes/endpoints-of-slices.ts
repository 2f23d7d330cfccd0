import { onlyDefined } from "../../checks/only-defined.ts";
import type { Family } from "../../discovery/dns/family-choice.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import { formatHostPort } from "../../discovery/targets/host-port.ts";
import { DiscoveryError } from "../discovery-error.ts";
import type { Slice, SliceEndpoint, SlicePort } from "./endpoint-slice.ts";

/** The service and the port to resolve. */
export interface WantedService {
	readonly service: string;
	readonly namespace: string;
	/** The number or the name of a port. Undefined means the only port of the service. */
	readonly port: number | string | undefined;
}

/** Endpoints by address family. No family has an empty list. */
export type EndpointsByFamily = ReadonlyMap<Family, readonly Endpoint[]>;

/**
 * Joins the slices of a service. The result holds the endpoints that are ready; if
 * there are none, it holds those that are terminating but still serve, as in
 * kube-proxy (KEP-1669). An address that is in two slices, as while it moves from
 * one to the other, counts once.
 *
 * @throws DiscoveryError "unknownService" if there is no slice or no such port,
 * "noHealthyInstance" if no endpoint can take calls
 */
export function endpointsOfSlices(
	slices: readonly Slice[],
	wanted: WantedService,
): EndpointsByFamily {
	const name = `${wanted.service}.${wanted.namespace}`;
	if (slices.length === 0) {
		throw new DiscoveryError(
			"unknownService",
			`no EndpointSlice in namespace ${wanted.namespace} has the label kubernetes.io/service-name=${wanted.service}: check that there is a Service of that name, and that it has a selector`,
		);
	}
	const filled = slices.filter(({ endpoints }) => endpoints.length > 0);
	if (filled.length === 0) {
		throw new DiscoveryError(
			"noHealthyInstance",
			`service ${name} has no endpoints: check that pods match its selector`,
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
		`service ${name} has ${count === 1 ? "an endpoint, which is not" : `${count} endpoints, none of them`} ready: check the readiness probes of its pods`,
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

/** Chooses the pods' port for each slice. It may differ between slices, because a Service's port may refer to a port's name. */
function portChoice(
	slices: readonly Slice[],
	{ port }: WantedService,
	name: string,
): PortChoice {
	const ports = slices.flatMap((slice) => slice.ports);
	const names = [...new Set(ports.map(({ name }) => name))];
	let choice: PortChoice;
	if (typeof port === "number") {
		// A headless Service may have no ports. A port without a number means all ports.
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
					? `service ${name} has no TCP port: give the number of the port`
					: `service ${name} has several ports: name one, as in kubernetes:///${name}:${names[0] || ports[0]?.port}; they are ${listed(ports)}`,
			);
		}
		choice = (slice) => slice.ports.find((one) => one.name === wanted)?.port;
	}
	if (slices.some((slice) => choice(slice) !== undefined)) return choice;
	throw new DiscoveryError(
		"unknownService",
		`service ${name} has no port ${port ?? "with a number"}: EndpointSlices hold the ports of pods (a Service's targetPort), and its TCP ports are ${listed(ports) || "none"}`,
	);
}

function listed(ports: readonly SlicePort[]): string {
	const each = ports.map(({ name, port = "any" }) =>
		name === "" ? `${port}` : `${name} (${port})`,
	);
	return [...new Set(each)].join(", ");
}
