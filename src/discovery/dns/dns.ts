import type { Clock } from "../../policy/clock.ts";
import { failure } from "../failure.ts";
import {
	type ResolveResult,
	type ResolveTurn,
	resolveLoop,
} from "../resolve-loop.ts";
import type { Endpoint, Resolver } from "../resolver.ts";
import { staticResolver } from "../static.ts";
import {
	formatHostPort,
	type HostPort,
	isIPv4,
	isIPv6,
} from "../targets/host-port.ts";
import { type Family, FamilyChoice } from "./family-choice.ts";
import type { Probe } from "./first-that-answers.ts";
import {
	type Found,
	type Lookup,
	serverLookup,
	systemLookup,
} from "./name-lookup.ts";

export interface DnsTarget extends HostPort {
	/** "address:port" of a name server. Default: the system's own lookup. */
	readonly server?: string | undefined;
}

/** What tests replace. Default: the system's clock, DNS and TCP. */
export interface DnsDependencies {
	readonly clock?: Clock | undefined;
	readonly lookup?: Lookup | undefined;
	readonly probe?: Probe | undefined;
}

const EVERY_MS = 30_000;
const MIN_TTL_MS = 5000;

/**
 * Resolves a name by DNS. Each address is an endpoint; all have the same port.
 *
 * Without a server, the system is asked at the start, every 30 s, and after a
 * connection is lost, but at most once a second. A name server is asked again
 * when the shortest TTL has passed: after at least 5 s and at most 30 s.
 *
 * If a name has IPv6 and IPv4 addresses, only one family is used, because
 * usually both lead to the same servers. With exactly one address of each
 * family, the two form one endpoint, and each connection uses the address that
 * answers first. Otherwise the resolver tries a connection to both families, and
 * starts with the family that the system prefers, 250 ms earlier. It keeps the
 * family that answers first until a connection is lost and none of its addresses
 * answers. While no address answers, all addresses form one endpoint, so that
 * the channel finds the first server that comes up.
 */
export function dnsResolver(
	{ host, port, server }: DnsTarget,
	dependencies: DnsDependencies = {},
): Resolver {
	if (isIPv4(host) || isIPv6(host)) {
		return staticResolver([formatHostPort({ host, port })]);
	}
	const lookup =
		dependencies.lookup ??
		(server === undefined ? systemLookup : serverLookup(server));
	return {
		watch: (context) => {
			const endpoints = new Endpoints(port, dependencies);
			return resolveLoop(
				context,
				{ everyMs: EVERY_MS, clock: dependencies.clock },
				async (turn): Promise<ResolveResult> => {
					const found = await find(host, lookup, turn);
					return {
						endpoints: await endpoints.of(found.addresses, turn),
						nextInMs: Math.min(
							EVERY_MS,
							Math.max(MIN_TTL_MS, found.ttlMs ?? EVERY_MS),
						),
					};
				},
			);
		},
	};
}

async function find(
	host: string,
	lookup: Lookup,
	turn: ResolveTurn,
): Promise<Found> {
	let found: Found;
	try {
		found = await lookup(host, turn.signal);
	} catch (cause) {
		throw failure(`the name ${host} cannot be resolved`, cause);
	}
	if (found.addresses.length === 0) {
		throw new Error(`the name ${host} has no address`);
	}
	return { ...found, addresses: [...new Set(found.addresses)] };
}

/** Turns the addresses of a name into endpoints of one address family. */
class Endpoints {
	readonly #port: number;
	readonly #families: FamilyChoice;

	constructor(port: number, dependencies: DnsDependencies) {
		this.#port = port;
		this.#families = new FamilyChoice(dependencies);
	}

	async of(
		hosts: readonly string[],
		turn: ResolveTurn,
	): Promise<readonly Endpoint[]> {
		const all = hosts.map((host) => formatHostPort({ host, port: this.#port }));
		// The groups are in the order of their first address, so that the family that the system prefers is first.
		const groups = Map.groupBy(all, familyOf);
		if (groups.size === 2 && hosts.length === 2) {
			return [{ address: all }];
		}
		const family = await this.#families.choose(groups, turn);
		return family === undefined
			? [{ address: all }]
			: (groups.get(family) ?? []).map((address) => ({ address }));
	}
}

/** The family of an "address:port". An IPv6 address is in brackets. */
function familyOf(address: string): Family {
	return address.startsWith("[") ? "v6" : "v4";
}
