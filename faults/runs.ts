import { setTimeout as sleep } from "node:timers/promises";
import { BlackHole } from "./black-hole.ts";
import { ServerProcess } from "./fleet.ts";
import { Load, type Toll } from "./load.ts";
import type { Behaviour } from "./server-process.ts";

/** The number of callers, each with one call in flight. */
const CALLERS = 40;

/** How long the load runs before the fault, and again after it, in milliseconds. */
const CALM_MS = 1000;

interface Scene {
	readonly servers: readonly ServerProcess[];
	/** A proxy through which the last server is reached. */
	readonly hole: BlackHole;
	/** Milliseconds since the load started. */
	now(): number;
}

/** Something that goes wrong while clients call. */
export interface Fault {
	readonly title: string;
	/** How the last of the three servers behaves. Default: like the others. */
	readonly last?: Behaviour;
	/** How the servers behave. Default: good. */
	readonly all?: Behaviour;
	/** The number of further callers whose deadlines are too short. Calls that end at such a deadline do not count as failed. */
	readonly hasty?: number;
	/** Causes the fault. Returns when that was, in milliseconds since the load started. */
	happen(scene: Scene): Promise<number>;
	/** Which calls may fail, in words. */
	readonly price: string;
	/** The number of failed calls beyond those. */
	excess(toll: Toll, happenedAt: number): number;
}

/** The result of a fault. */
export interface FaultRun {
	readonly fault: Fault;
	readonly toll: Toll;
	readonly excess: number;
}

const nothing: Pick<Fault, "price" | "excess"> = {
	price: "none",
	excess: ({ failures }) => failures.length,
};

const inFlight: Pick<Fault, "price" | "excess"> = {
	price: "the calls in flight at that moment",
	excess: ({ failures }, happenedAt) =>
		failures.filter(({ startedAt }) => startedAt > happenedAt).length,
};

/** Five failures in a row eject an endpoint. Each caller may have one call there before. */
const untilEjected: Pick<Fault, "price" | "excess"> = {
	price: "the calls until ejection",
	excess: ({ failures }) => Math.max(failures.length - CALLERS, 0),
};

/** Long enough for the default deadline of 10 s to pass, and for its consequences. */
const DEADLINE_AND_MORE_MS = 13_000;

export const faults: readonly Fault[] = [
	{
		title: "all servers are restarted, one after the other",
		...nothing,
		async happen({ servers, now }) {
			const at = now();
			for (const server of servers) {
				await server.end("SIGTERM");
				await server.startAgain();
				await sleep(500);
			}
			return at;
		},
	},
	{
		title: "one of three servers is killed (SIGKILL)",
		...nothing,
		async happen({ servers, now }) {
			const at = now();
			await servers[0]?.end("SIGKILL");
			await sleep(2000);
			return at;
		},
	},
	{
		title: "one server is drained (SIGTERM) and not replaced",
		...nothing,
		async happen({ servers, now }) {
			const at = now();
			await servers[0]?.end("SIGTERM");
			await sleep(2000);
			return at;
		},
	},
	{
		title: "one server is stopped (SIGSTOP)",
		...inFlight,
		async happen({ servers, now }) {
			servers[0]?.signal("SIGSTOP");
			const at = now();
			await sleep(DEADLINE_AND_MORE_MS);
			return at;
		},
	},
	{
		title: "the network to one server drops everything",
		...inFlight,
		async happen({ hole, now }) {
			hole.open();
			const at = now();
			await sleep(DEADLINE_AND_MORE_MS);
			return at;
		},
	},
	{
		title: "one server becomes 40 times slower",
		...nothing,
		async happen({ servers, now }) {
			const at = now();
			servers[0]?.tell({ delayMs: 200 });
			await sleep(3000);
			return at;
		},
	},
	{
		title: "one server refuses every stream",
		last: "refusing",
		...nothing,
		async happen({ now }) {
			await sleep(2000);
			return now();
		},
	},
	{
		title: "one server resets every stream after its headers",
		last: "resetting",
		...untilEjected,
		async happen({ now }) {
			await sleep(2000);
			return now();
		},
	},
	{
		title: "one server accepts connections but sends nothing",
		...nothing,
		last: "silent",
		async happen({ now }) {
			await sleep(6000);
			return now();
		},
	},
	{
		title: "proxies close each connection after 200 requests",
		all: "200 requests a connection",
		...nothing,
		async happen({ now }) {
			await sleep(2000);
			return now();
		},
	},
	{
		title: "servers close each connection after 100 ms",
		all: "100 ms a connection",
		...nothing,
		async happen({ now }) {
			await sleep(2000);
			return now();
		},
	},
	{
		title: "a NAT forgets the connection to one server",
		...nothing,
		async happen({ hole, now }) {
			hole.forget();
			const at = now();
			await sleep(4000);
			return at;
		},
	},
	{
		title: "400 more callers with short deadlines, at the stream limit",
		all: "narrow",
		hasty: 10 * CALLERS,
		...nothing,
		async happen({ now }) {
			await sleep(2000);
			return now();
		},
	},
];

/** Starts three servers and the load, and causes the fault. */
export async function run(fault: Fault): Promise<FaultRun> {
	await using stack = new AsyncDisposableStack();
	const servers: ServerProcess[] = [];
	const { all = "good", last = all } = fault;
	for (const behaviour of [all, all, last]) {
		servers.push(stack.use(await ServerProcess.start(behaviour)));
	}
	const [first, second, third] = servers.map(({ address }) => address);
	const hole = stack.use(await BlackHole.before(third as string));
	const load = new Load(
		[first as string, second as string, hole.address],
		CALLERS,
		fault.hasty,
	);
	await sleep(CALM_MS);
	const happenedAt = await fault.happen({
		servers,
		hole,
		now: () => load.now,
	});
	await sleep(CALM_MS);
	const toll = await load.stop();
	return { fault, toll, excess: fault.excess(toll, happenedAt) };
}
