import type { Task, Work } from "./client-process.ts";
import type { Effort, Finding, Group } from "./group.ts";
import { PEERS, type Peer } from "./peers.ts";
import { alternate, seriesOf } from "./series.ts";
import type { Standing } from "./server-process.ts";
import { Side } from "./side.ts";
import { WORKLOADS, type WorkloadName } from "./workloads.ts";

type Role = "client" | "server";

/** A client process and a server process, one of which is measured. */
interface Pair {
	readonly client: Side<Task, Work>;
	readonly server: Side<null, Standing>;
}

/** The other side of every measurement: the cheapest one, and the same for all contestants. */
const OPPOSITE: Peer = "node:http2";

/** All workloads, measured once in the client process and once in the server process. */
export const callGroups: readonly Group[] = (
	["client", "server"] as const
).flatMap((role) =>
	(Object.keys(WORKLOADS) as WorkloadName[]).map((workload) => ({
		name: `${role}-${workload}`,
		run: (effort) => measureCalls(role, workload, effort),
	})),
);

async function measureCalls(
	role: Role,
	workload: WorkloadName,
	{ rounds, roundMs, warmUpMs }: Effort,
): Promise<Finding[]> {
	using processes = new DisposableStack();
	const pairs = startPairs(role, processes);
	const measure = (peer: Peer, ms: number): Promise<Work> =>
		workOf(role, pairs.get(peer) as Pair, workload, ms);
	await alternate(PEERS, 1, (peer) => measure(peer, warmUpMs));
	const works = await alternate(PEERS, rounds, (peer) =>
		measure(peer, roundMs),
	);
	return findings(role, workload, works);
}

function startPairs(
	role: Role,
	processes: DisposableStack,
): ReadonlyMap<Peer, Pair> {
	const clientOf = (peer: Peer): Pair["client"] =>
		processes.use(new Side("client-process.ts", peer));
	const serverOf = (peer: Peer): Pair["server"] =>
		processes.use(new Side("server-process.ts", peer));
	if (role === "client") {
		const server = serverOf(OPPOSITE);
		return new Map(
			PEERS.map((peer) => [peer, { client: clientOf(peer), server }]),
		);
	}
	const client = clientOf(OPPOSITE);
	return new Map(
		PEERS.map((peer) => [peer, { client, server: serverOf(peer) }]),
	);
}

async function workOf(
	role: Role,
	{ client, server }: Pair,
	workload: WorkloadName,
	ms: number,
): Promise<Work> {
	const before = await server.ask(null);
	const done = await client.ask({ port: before.port, workload, ms });
	const after = await server.ask(null);
	return role === "client"
		? done
		: { ...done, cpuMs: after.cpuMs - before.cpuMs };
}

function findings(
	role: Role,
	workload: WorkloadName,
	works: ReadonlyMap<Peer, readonly Work[]>,
): Finding[] {
	const { title, unit } = WORKLOADS[workload];
	const shared = { base: OPPOSITE } as const;
	const cpu: Finding = {
		...shared,
		key: `${role}-${workload}/cpu`,
		title: `${role}: CPU per ${unit}; ${title}`,
		series: seriesOf(works, (work) => work.cpuMs / work.units),
	};
	if (workload !== "large") return [cpu];
	const throughput: Finding = {
		...shared,
		key: `${role}-${workload}/throughput`,
		title: `${role}: throughput; ${title}`,
		series: seriesOf(works, (work) => work.units / work.wallMs),
	};
	return [cpu, throughput];
}
