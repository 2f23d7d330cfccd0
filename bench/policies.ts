import type { Task, Work } from "./client-process.ts";
import type { Group } from "./group.ts";
import { alternate, seriesOf } from "./series.ts";
import type { Standing } from "./server-process.ts";
import { Side } from "./side.ts";

const CONTESTANTS = ["homing-bare", "homing", "homing-policies"] as const;

/** Measures what deadlines, retries, balancing, outlier detection, circuit breakers and limits cost a successful call. */
export const policies: Group = {
	name: "policies",
	async run({ rounds, roundMs, warmUpMs }) {
		using processes = new DisposableStack();
		const server = processes.use(
			new Side<null, Standing>("server-process.ts", "node:http2"),
		);
		const clients = new Map(
			CONTESTANTS.map((name) => [
				name,
				processes.use(new Side<Task, Work>("client-process.ts", name)),
			]),
		);
		const { port } = await server.ask(null);
		const measure = async (
			name: (typeof CONTESTANTS)[number],
			ms: number,
		): Promise<Work> =>
			(clients.get(name) as Side<Task, Work>).ask({
				port,
				workload: "unary-64",
				ms,
			});
		await alternate(CONTESTANTS, 1, (name) => measure(name, warmUpMs));
		const works = await alternate(CONTESTANTS, rounds * 2, (name) =>
			measure(name, roundMs),
		);
		return [
			{
				key: "policies/cpu",
				title: "client: CPU per call; unary, small, 64 in flight",
				base: "homing-bare",
				series: seriesOf(works, (work) => work.cpuMs / work.units),
			},
		];
	},
};
