import type { Clock } from "../policy/clock.ts";
import { failure } from "./failure.ts";
import { firstThatAnswers, type Reach } from "./first-that-answers.ts";
import { formatHostPort, type HostPort, isIPv4, isIPv6 } from "./host-port.ts";
import { type Look, lookAgain, type Sight } from "./look-again.ts";
import {
	type Found,
	type Lookup,
	serverLookup,
	systemLookup,
} from "./name-lookup.ts";
import type { Endpoint, Resolver } from "./resolver.ts";
import { staticResolver } from "./static.ts";
import { tcpReach } from "./tcp-reach.ts";

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
/** Before the other family is tried too (RFC 8305, section 5)… */
const HEAD_START_MS = 250;
/** …and where one is in use, which a moment of silence must not change. */
const INCUMBENT_HEAD_START_MS = 2000;

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
			const families = new Families(port, seams);
			return lookAgain(
				context,
				{ everyMs: EVERY_MS, clock: seams.clock },
				async (look): Promise<Sight> => {
					const found = await find(host, lookup, look);
					return {
						endpoints: await families.endpoints(found.addresses, look),
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

/** Chooses between the families of a name's addresses, and remembers its choice. */
class Families {
	readonly #port: number;
	readonly #seams: DnsSeams;
	#incumbent: "v4" | "v6" | undefined;

	constructor(port: number, seams: DnsSeams) {
		this.#port = port;
		this.#seams = seams;
	}

	async endpoints(
		hosts: readonly string[],
		look: Look,
	): Promise<readonly Endpoint[]> {
		const groups = Map.groupBy(hosts, (host) => (isIPv6(host) ? "v6" : "v4"));
		const all = this.#addresses(hosts);
		if (groups.size === 1) {
			[this.#incumbent] = groups.keys();
			return all.map((address) => ({ address }));
		}
		if (hosts.length === 2) {
			return [{ address: all }];
		}
		const family = await this.#choose(groups, look);
		return family === undefined
			? [{ address: all }]
			: this.#addresses(groups.get(family) ?? []).map((address) => ({
					address,
				}));
	}

	async #choose(
		groups: ReadonlyMap<"v4" | "v6", readonly string[]>,
		look: Look,
	): Promise<"v4" | "v6" | undefined> {
		const incumbent = this.#incumbent;
		if (incumbent !== undefined && !look.asked) {
			return incumbent;
		}
		// The order of the groups is that of the first addresses, which the system prefers.
		const preferred = [...groups.keys()].sort(
			(a, b) => Number(b === incumbent) - Number(a === incumbent),
		);
		const winner = await firstThatAnswers(
			preferred.map((family) => this.#addresses(groups.get(family) ?? [])),
			incumbent === undefined ? HEAD_START_MS : INCUMBENT_HEAD_START_MS,
			look.signal,
			{ reach: this.#seams.reach ?? tcpReach, clock: this.#seams.clock },
		);
		this.#incumbent = winner === undefined ? undefined : preferred[winner];
		return this.#incumbent;
	}

	#addresses(hosts: readonly string[]): string[] {
		return hosts.map((host) => formatHostPort({ host, port: this.#port }));
	}
}
