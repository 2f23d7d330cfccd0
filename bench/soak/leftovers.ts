import { getEventListeners } from "node:events";
import { Duplex } from "node:stream";
import { queryObjects } from "node:v8";

/** What is left in this process while no call is in flight. */
export interface Leftovers {
	readonly heapBytes: number;
	/** Timer objects in memory, in use or not. */
	readonly timers: number;
	/** Sockets and HTTP/2 streams of both sides. */
	readonly streams: number;
	readonly abortSignals: number;
	/** Listeners on the signal that all calls share. */
	readonly listeners: number;
	/** What keeps the event loop alive: "2 TCPSocketWrap, 1 TCPServerWrap". */
	readonly resources: string;
}

/** The class of what `setTimeout` returns. */
const Timeout = setTimeout(() => {}, 0).constructor as new () => unknown;

/** Collects garbage, and then counts what is left. */
export async function leftovers(shared: AbortSignal): Promise<Leftovers> {
	const { gc } = globalThis;
	if (gc === undefined) throw new Error("run this with node --expose-gc");
	// Finalizers of collected objects may free more, so collect several times.
	for (let i = 0; i < 5; i++) {
		gc();
		await new Promise((resolve) => setImmediate(resolve));
	}
	return {
		timers: countOf(Timeout),
		streams: countOf(Duplex),
		abortSignals: countOf(AbortSignal),
		listeners: getEventListeners(shared, "abort").length,
		resources: activeResources(),
		heapBytes: process.memoryUsage().heapUsed,
	};
}

/** The number of instances of a class in memory. */
function countOf(type: abstract new (...parameters: never) => unknown): number {
	return queryObjects(type as new () => unknown, { format: "count" });
}

/** Formats the leftovers as one line. */
export function describe(left: Leftovers): string {
	const heap = (left.heapBytes / 1024 / 1024).toFixed(2);
	return `heap ${heap} MiB, ${left.timers} timers, ${left.streams} streams, ${left.abortSignals} abort signals, ${left.listeners} listeners; alive: ${left.resources}`;
}

/** Lists what keeps the event loop alive, without standard input and output. */
export function activeResources(): string {
	const counts = new Map<string, number>();
	for (const type of process.getActiveResourcesInfo()) {
		if (/^(TTY|Pipe|FSReq)/.test(type)) continue;
		counts.set(type, (counts.get(type) ?? 0) + 1);
	}
	return [...counts]
		.toSorted()
		.map(([type, count]) => `${count} ${type}`)
		.join(", ");
}
