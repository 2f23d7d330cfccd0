import type { SrvRecord } from "node:dns";
import type { Clock } from "../../policy/clock.ts";
import { failure } from "../failure.ts";
import { type Look, lookAgain } from "../resolve-loop.ts";
import type { Endpoint, Resolver } from "../resolver.ts";
import { formatHostPort } from "../targets/host-port.ts";
import { firstThatAnswers, type Reach } from "./first-that-answers.ts";
import { withNameServer } from "./name-lookup.ts";
import { tcpReach } from "./tcp-probe.ts";

export interface SrvTarget {
	/** `_grpc._tcp.name`, or whatever has SRV records. */
	readonly name: string;
	/** "address:port" of the name server to ask instead of the system's. */
	readonly server?: string | undefined;
}

export interface SrvSeams {
	readonly clock?: Clock | undefined;
	readonly query?:
		| ((name: string, signal: AbortSignal) => Promise<readonly SrvRecord[]>)
		| undefined;
	readonly reach?: Reach | undefined;
}

/** Before the next priority is tried too. */
const HEAD_START_MS = 2000;

/**
 * The servers that SRV records name, with their weights (RFC 2782). Of several
 * priorities it is the lowest of which a server can be reached, and each look
 * finds out anew, so that a better one is used again once it is back.
 *
 * An endpoint has the server's name; each connection looks it up. Looks are
 * every 30 s and when a connection was lost, once a second at most.
 */
export function srvResolver(
	{ name, server }: SrvTarget,
	seams: SrvSeams = {},
): Resolver {
	const query =
		seams.query ??
		((name: string, signal: AbortSignal) =>
			withNameServer(server, signal, (resolver) => resolver.resolveSrv(name)));
	return {
		watch: (context) =>
			lookAgain(
				context,
				{ everyMs: 30_000, clock: seams.clock },
				async (look) => {
					const records = await find(name, query, look);
					return { endpoints: weighted(await inUse(records, look, seams)) };
				},
			),
	};
}

async function find(
	name: string,
	query: NonNullable<SrvSeams["query"]>,
	look: Look,
): Promise<readonly SrvRecord[]> {
	let records: readonly SrvRecord[];
	try {
		records = await query(name, look.signal);
	} catch (cause) {
		throw failure(`the SRV records of ${name} cannot be had`, cause);
	}
	// The root as the only target says that there is no such service.
	const servers = records.filter(({ name }) => name !== "" && name !== ".");
	if (servers.length === 0) {
		throw new Error(`the SRV records of ${name} name no server`);
	}
	return servers;
}

/** The records of the lowest priority that answers; of the lowest, when none does. */
async function inUse(
	records: readonly SrvRecord[],
	look: Look,
	{ reach = tcpReach, clock }: SrvSeams,
): Promise<readonly SrvRecord[]> {
	const byPriority = Map.groupBy(records, ({ priority }) => priority);
	const groups = [...byPriority]
		.sort(([a], [b]) => a - b)
		.map(([, group]) => group);
	const first =
		groups.length < 2
			? 0
			: await firstThatAnswers(
					groups.map((group) => group.map(addressOf)),
					HEAD_START_MS,
					look.signal,
					{ reach, clock },
				);
	return groups[first ?? 0] ?? [];
}

/** Weight 0 is next to none, unless all have it. */
function weighted(records: readonly SrvRecord[]): Endpoint[] {
	const some = records.some(({ weight }) => weight > 0);
	const none = records.some(({ weight }) => weight === 0);
	return records.map((record) => ({
		address: addressOf(record),
		...(some
			? { weight: none ? record.weight * 100 || 1 : record.weight }
			: {}),
	}));
}

function addressOf({ name, port }: SrvRecord): string {
	return formatHostPort({ host: name, port });
}
