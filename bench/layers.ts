import { fileURLToPath } from "node:url";
import type { Finding, Group } from "./group.ts";
import type { LayersAnswer, LayersRow, LayersTask } from "./layers-process.ts";
import { alternate, type Series } from "./series.ts";
import { Side } from "./side.ts";

type Contestant = "this checkout" | "the other";

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
			): ReadonlyMap<Contestant, Side<LayersTask, LayersAnswer>> =>
				new Map(
					[...directories].map(([contestant, directory]) => [
						contestant,
						processes.use(new Side("layers-process.ts", directory, execArgv)),
					]),
				);
			const timed = start([]);
			const counted = start(COUNTING);
			const findings: Finding[] = [];
			for (const row of ["unary", "stream"] as const) {
				const measure = (
					sides: typeof timed,
					rounds: number,
					task: LayersTask,
				): Promise<Series<Contestant>> =>
					alternate([...sides.keys()], rounds, (contestant) =>
						(sides.get(contestant) as Side<LayersTask, LayersAnswer>).ask(task),
					);
				await measure(timed, 1, { row, ms: warmUpMs * 2 });
				await measure(counted, 1, { row, ms: warmUpMs });
				const cpu = await measure(timed, rounds * 2, { row, ms: roundMs });
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
