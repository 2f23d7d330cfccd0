import type { Clock } from "../../policy/clock.ts";
import { failure } from "../failure.ts";
import { type Look, lookAgain, type Sight } from "../resolve-loop.ts";
import type { Endpoint, Resolver } from "../resolver.ts";
import { staticResolver } from "../static.ts";
import {
	formatHostPort,
	type HostPort,
	isIPv4,
	isIPv6,
} from "../targets/host-port.ts";
import { type Family, FamilyChoice } from "./family-choice.ts";
import type { Reach } from "./first-that-answers.ts";
import {
	type Found,
	type Lookup,
	serverLookup,
	systemLookup,
} from "./name-lookup.ts";

export interface DnsTarget extends HostPort {
	/** "address:port" of the name server to ask instead of the system. */
	readonly server?: string | undefined;
}

export interface DnsSeams {
	readonly clock?: Clock | undefined;
	readonly lookup?: Lookup | undefined;
	readonly reach?: Reach | undefined;
}

const EVERY_MS = 30_000;
const MIN_TTL_MS = 5000;

/**
 * The addresses of a name: an endpoint each, all with the same port.
 *
 * The system is asked at first, every 30 s, and when a connection was lost,
 * once a second at most; a name server of its own is asked again when the
 * shortest time to live is over, after 5 s at least and 30 s at most.
 *
 * Of a name with IPv6 and IPv4 addresses, one family is used, for the two are
 * most often two ways to the same servers. Where there is one address of each,
 * they are one endpoint, and each connection takes the first that answers. Else
 * a connection is tried to either family, the one that the system prefers being
 * 250 ms ahead; the winner stays until a connection is lost and none of its
 * addresses answers. While nothing answers at all, the endpoint is one with all
 * the addresses, so that the first server to come up is found.
 */
export function dnsResolver(
	{ host, port, server }: DnsTarget,
	seams: DnsSeams = {},
): Resolver {
	if (isIPv4(host) || isIPv6(host)) {
		return staticResolver([formatHostPort({ host, port })]);
	}
	const lookup =
		seams.lookup ??
		(server === undefined ? systemLookup : serverLookup(server));
	return {
		watch: (context) => {
			const endpoints = new Endpoints(port, seams);
			return lookAgain(
				context,
				{ everyMs: EVERY_MS, clock: seams.clock },
				async (look): Promise<Sight> => {
					const found = await find(host, lookup, look);
					return {
						endpoints: await endpoints.of(found.addresses, look),
						againInMs: Math.min(
							EVERY_MS,
							Math.max(MIN_TTL_MS, found.ttlMs ?? EVERY_MS),
						),
					};
				},
			);
		},
	};
}

async function find(host: string, lookup: Lookup, look: Look): Promise<Found> {
	let found: Found;
	try {
		found = await lookup(host, look.signal);
	} catch (cause) {
		throw failure(`the name ${host} cannot be resolved`, cause);
	}
	if (found.addresses.length === 0) {
		throw new Error(`the name ${host} has no address`);
	}
	return { ...found, addresses: [...new Set(found.addresses)] };
}

/** The endpoints of a name's addresses, of one family of them. */
class Endpoints {
	readonly #port: number;
	readonly #families: FamilyChoice;

	constructor(port: number, seams: DnsSeams) {
		this.#port = port;
		this.#families = new FamilyChoice(seams);
	}

	async of(hosts: readonly string[], look: Look): Promise<readonly Endpoint[]> {
		const all = hosts.map((host) => formatHostPort({ host, port: this.#port }));
		// The order of the groups is that of the first addresses, which the system prefers.
		const groups = Map.groupBy(all, familyOf);
		if (groups.size === 2 && hosts.length === 2) {
			return [{ address: all }];
		}
		const family = await this.#families.choose(groups, look);
		return family === undefined
			? [{ address: all }]
			: (groups.get(family) ?? []).map((address) => ({ address }));
	}
}

/** An IPv6 address has brackets before its port. */
function familyOf(address: string): Family {
	return address.startsWith("[") ? "v6" : "v4";
}
