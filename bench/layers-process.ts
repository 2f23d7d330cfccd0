/**
 * Measures one checkout of homing in its own process: `node bench/layers-process.ts DIRECTORY`. The client calls over a
 * connection in memory, so that only homing's own work above the wire is measured, including the codec.
 */

import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BenchClient } from "./gen/bench_rpc.ts";
import { MemoryConnection } from "./memory-connection.ts";
import { answerWith, cpuMs } from "./side.ts";

/** Asks for the CPU time per unit, measured for `ms` milliseconds, or for the bytes per unit that `units` units allocate. */
export type LayersTask =
	| { readonly row: LayersRow; readonly ms: number }
	| { readonly row: LayersRow; readonly units: number };

export type LayersRow = "unary" | "stream";

/** Microseconds of CPU time, or allocated bytes, per call or message. */
export type LayersAnswer = number;

/** The encoded message of small calls. */
const ANSWER = Buffer.from("\n\fAda Lovelace");

const IN_FLIGHT = { unary: 64, stream: 4 } as const;
const MESSAGES = 1000;

/** The checkout, from which everything is imported, including the codec. */
const directory = resolve(process.argv[2] as string);
const { SMALL } = await importFrom("bench/parcels.ts");
const client = await clientOf();
const steps: Readonly<Record<LayersRow, () => Promise<number>>> = {
	async unary() {
		const { name } = await client.echo(SMALL);
		if (name !== SMALL.name) throw new Error(`"${name}" came back`);
		return 1;
	},
	async stream() {
		let count = 0;
		for await (const _ of client.stream({ count: MESSAGES })) count++;
		if (count !== MESSAGES) throw new Error(`${count} messages came`);
		return count;
	},
};

answerWith<LayersTask, LayersAnswer>((task) =>
	"ms" in task ? cpuUs(task.row, task.ms) : bytes(task.row, task.units),
);

async function clientOf(): Promise<BenchClient> {
	const { Channel } = await importFrom("dist/client.js");
	const { NewBenchClient } = await importFrom("bench/gen/bench_rpc.ts");
	const environment = {
		clock: {
			now: () => performance.now(),
			after: (ms: number, action: () => void) => setTimeout(action, ms),
			afterIdle: (ms: number, action: () => void) =>
				setTimeout(action, ms).unref(),
			cancel: (timer: NodeJS.Timeout | undefined) => clearTimeout(timer),
		},
		random: Math.random,
		connect: async () => new MemoryConnection(ANSWER, MESSAGES),
	};
	return NewBenchClient(new Channel("ipv4:192.0.2.1:1", {}, environment));
}

// biome-ignore lint/suspicious/noExplicitAny: another checkout may have other types.
function importFrom(file: string): Promise<any> {
	return import(pathToFileURL(join(directory, file)).href);
}

async function cpuUs(row: LayersRow, ms: number): Promise<number> {
	const until = performance.now() + ms;
	const before = cpuMs();
	const units = await repeat(row, () => performance.now() < until);
	return ((cpuMs() - before) * 1000) / units;
}

/** Counts allocated bytes. The young generation of the process is so large that no garbage is collected meanwhile. */
async function bytes(row: LayersRow, atLeast: number): Promise<number> {
	if (globalThis.gc === undefined) throw new Error("run with --expose-gc");
	globalThis.gc();
	const before = allocated();
	let begun = 0;
	const size = row === "unary" ? 1 : MESSAGES;
	const units = await repeat(row, () => {
		begun += size;
		return begun <= atLeast;
	});
	return (allocated() - before) / units;
}

function allocated(): number {
	const { heapUsed, arrayBuffers } = process.memoryUsage();
	return heapUsed + arrayBuffers;
}

/** Repeats the calls of a row, with its number of calls in flight, while `more` returns true. Returns the number of units. */
async function repeat(row: LayersRow, more: () => boolean): Promise<number> {
	const step = steps[row];
	let units = 0;
	const one = async (): Promise<void> => {
		while (more()) {
			const done = await step();
			units += done;
		}
	};
	await Promise.all(Array.from({ length: IN_FLIGHT[row] }, one));
	return units;
}
