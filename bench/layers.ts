import { fileURLToPath } from "node:url";
import type { Task, Work } from "./client-process.ts";
import type { Finding, Group } from "./group.ts";
import type { LayersAnswer, LayersRow, LayersTask } from "./layers-process.ts";
import { alternate, type Series } from "./series.ts";
import type { Standing } from "./server-process.ts";
import { Side } from "./side.ts";

/** Bare node:http2 only reads streams, from a socket. */
type Contestant = "this checkout" | "the other" | "node:http2";

type LayersSide = Pick<Side<LayersTask, LayersAnswer>, "ask">;

const ROWS = {
	unary: "a unary call, 64 in flight",
	stream: "a message of a server stream of 1,000 with `for await`",
} as const satisfies Record<LayersRow, string>;

/** The number of calls or messages whose allocations are counted at a time. */
const COUNTED = { unary: 5000, stream: 20_000 } as const;
const COUNTED_ROUNDS = 3;

/** A young generation so large that no garbage is collected while allocations are counted. */
const COUNTING = [
	"--expose-gc",
	"--min-semi-space-size=128",
	"--max-semi-space-size=128",
];

/**
 * Measures what homing's layers above the wire cost, over a connection in memory, and compares with another checkout if one is
 * given.
 *
 * @param other the directory of another checkout, which must be built
 */
export function layers(other: string | undefined): Group {
	const directories = new Map<Contestant, string>([
		["this checkout", fileURLToPath(new URL("..", import.meta.url))],
	]);
	if (other !== undefined) directories.set("the other", other);
	return {
		name: "layers",
		async run({ rounds, roundMs, warmUpMs }) {
			using processes = new DisposableStack();
			const start = (
				execArgv: readonly string[],
			): ReadonlyMap<Contestant, LayersSide> =>
				new Map(
					[...directories].map(([contestant, directory]) => [
						contestant,
						processes.use(
							new Side<LayersTask, LayersAnswer>(
								"layers-process.ts",
								directory,
								execArgv,
							),
						),
					]),
				);
			const timed = start([]);
			const readers = new Map(timed).set("node:http2", bareReader(processes));
			const counted = start(COUNTING);
			const findings: Finding[] = [];
			for (const row of ["unary", "stream"] as const) {
				const measure = (
					sides: ReadonlyMap<Contestant, LayersSide>,
					rounds: number,
					task: LayersTask,
				): Promise<Series<Contestant>> =>
					alternate([...sides.keys()], rounds, (contestant) =>
						(sides.get(contestant) as LayersSide).ask(task),
					);
				const busy = row === "stream" ? readers : timed;
				await measure(busy, 1, { row, ms: warmUpMs * 2 });
				await measure(counted, 1, { row, ms: warmUpMs });
				const cpu = await measure(busy, rounds * 2, { row, ms: roundMs });
				const bytes = await measure(counted, COUNTED_ROUNDS, {
					row,
					units: COUNTED[row],
				});
				findings.push(
					finding(row, "cpu", "CPU time", "µs", cpu),
					finding(row, "bytes", "allocated", "bytes", bytes),
				);
			}
			return findings;
		},
	};
}

/** A client that reads streams from a server, both on bare node:http2, each in its process. */
function bareReader(processes: DisposableStack): LayersSide {
	const peer = "node:http2";
	const server: Side<null, Standing> = processes.use(
		new Side("server-process.ts", peer),
	);
	const client: Side<Task, Work> = processes.use(
		new Side("client-process.ts", peer),
	);
	return {
		async ask(task) {
			if (!("ms" in task)) throw new Error("its allocations are not counted");
			const { ms } = task;
			const { port } = await server.ask(null);
			const work = await client.ask({ port, workload: "stream", ms });
			return (work.cpuMs * 1000) / work.units;
		},
	};
}

function finding(
	row: LayersRow,
	key: string,
	what: string,
	unit: string,
	series: Series<Contestant>,
): Finding {
	return {
		key: `layers-${row}/${key}`,
		title: `layers: ${what} for ${ROWS[row]}`,
		base: series.has("the other") ? "the other" : "this checkout",
		unit,
		series,
	};
}
