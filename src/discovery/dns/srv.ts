import type { SrvRecord } from "node:dns";
import type { Clock } from "../../policy/clock.ts";
import { failure } from "../failure.ts";
import { type ResolveTurn, resolveLoop } from "../resolve-loop.ts";
import type { Endpoint, Resolver } from "../resolver.ts";
import { formatHostPort } from "../targets/host-port.ts";
import { firstThatAnswers, type Probe } from "./first-that-answers.ts";
import { withNameServer } from "./name-lookup.ts";
import { tcpProbe } from "./tcp-probe.ts";

export interface SrvTarget {
	/** A name that has SRV records, such as `_grpc._tcp.name`. */
	readonly name: string;
	/** "address:port" of a name server. Default: the system's name servers. */
	readonly server?: string | undefined;
}

/** What tests replace. Default: the system's clock, DNS and TCP. */
export interface SrvDependencies {
	readonly clock?: Clock | undefined;
	readonly query?:
		| ((name: string, signal: AbortSignal) => Promise<readonly SrvRecord[]>)
		| undefined;
	readonly probe?: Probe | undefined;
}

/** How long the servers of one priority may give no answer before those of the next priority are tried too. */
const HEAD_START_MS = 2000;

/**
 * Resolves SRV records to their servers, with their weights (RFC 2782). It uses
 * the servers of the lowest priority number of which a server can be reached. It
 * checks that with each query, so that it returns to a better priority once one
 * of its servers is back.
 *
 * The address of an endpoint is the server's name, which each new connection
 * looks up. The records are queried at the start, every 30 s, and after a
 * connection is lost, but at most once a second.
 */
export function srvResolver(
	{ name, server }: SrvTarget,
	dependencies: SrvDependencies = {},
): Resolver {
	const query =
		dependencies.query ??
		((name: string, signal: AbortSignal) =>
			withNameServer(server, signal, (resolver) => resolver.resolveSrv(name)));
	return {
		watch: (context) =>
			resolveLoop(
				context,
				{ everyMs: 30_000, clock: dependencies.clock },
				async (turn) => {
					const records = await find(name, query, turn);
					return {
						endpoints: weighted(await inUse(records, turn, dependencies)),
					};
				},
			),
	};
}

async function find(
	name: string,
	query: NonNullable<SrvDependencies["query"]>,
	turn: ResolveTurn,
): Promise<readonly SrvRecord[]> {
	let records: readonly SrvRecord[];
	try {
		records = await query(name, turn.signal);
	} catch (cause) {
		throw failure(`the SRV records of ${name} cannot be resolved`, cause);
	}
	// A target of "." means that the service does not exist at this domain (RFC 2782).
	const servers = records.filter(({ name }) => name !== "" && name !== ".");
	if (servers.length === 0) {
		throw new Error(`the SRV records of ${name} name no server`);
	}
	return servers;
}

/** Returns the records of the lowest priority number of which a server answers; if none answers, of the lowest of all. */
async function inUse(
	records: readonly SrvRecord[],
	turn: ResolveTurn,
	{ probe = tcpProbe, clock }: SrvDependencies,
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
					turn.signal,
					{ probe, clock },
				);
	return groups[first ?? 0] ?? [];
}

/** Converts records to endpoints. A record of weight 0 gets very few calls, unless all have weight 0 (RFC 2782). */
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
