/** Runs one measured client in its own process: `node bench/client-process.ts PEER`. */

import type { BenchClient } from "./clients/client.ts";
import { clientOf } from "./peers.ts";
import { answerWith, cpuMs } from "./side.ts";
import { WORKLOADS, type Workload, type WorkloadName } from "./workloads.ts";

export interface Task {
	readonly port: number;
	readonly workload: WorkloadName;
	readonly ms: number;
}

/** What a side has done, and what it cost. */
export interface Work {
	readonly units: number;
	readonly wallMs: number;
	readonly cpuMs: number;
}

const connect = await clientOf(
	process.argv[2] as Parameters<typeof clientOf>[0],
);
const clients = new Map<number, BenchClient>();

answerWith<Task, Work>(async ({ port, workload, ms }) => {
	let client = clients.get(port);
	if (client === undefined) {
		client = connect(`127.0.0.1:${port}`);
		clients.set(port, client);
	}
	return work(client, WORKLOADS[workload], ms);
});

async function work(
	client: BenchClient,
	{ inFlight, step }: Workload,
	ms: number,
): Promise<Work> {
	const startedAt = performance.now();
	const cpuBefore = cpuMs();
	let units = 0;
	const repeat = async (): Promise<void> => {
		while (performance.now() - startedAt < ms) {
			const done = await step(client);
			units += done;
		}
	};
	await Promise.all(Array.from({ length: inFlight }, repeat));
	return {
		units,
		wallMs: performance.now() - startedAt,
		cpuMs: cpuMs() - cpuBefore,
	};
}
