import { setTimeout as sleep } from "node:timers/promises";
import { BlackHole } from "./black-hole.ts";
import { ServerProcess } from "./fleet.ts";
import { Load, type Toll } from "./load.ts";
import type { Behaviour } from "./server-process.ts";

/** Callers in all, so that even one endpoint alone would have no more than 40 calls in flight. */
const CALLERS = 40;

/** Of load before the fault, and again after it is over. */
const CALM_MS = 1000;

interface Scene {
	readonly servers: readonly ServerProcess[];
	/** The way to the last server goes through it. */
	readonly hole: BlackHole;
	/** Milliseconds since the load began. */
	now(): number;
}

/** Something that goes wrong while clients call. */
export interface Fault {
	readonly title: string;
	/** How the last of the three servers behaves; the others are good. */
	readonly last?: Behaviour;
	/** How all of them behave. */
	readonly all?: Behaviour;
	/** Further callers, whose deadlines pass: that is none of the failures counted. */
	readonly hasty?: number;
	/** Returns when it happened, in milliseconds since the load began. */
	happen(scene: Scene): Promise<number>;
	/** What it may cost, in words. */
	readonly price: string;
	/** The calls that failed beyond that. */
	excess(toll: Toll, happenedAt: number): number;
}

/** What came of it. */
export interface FaultRun {
	readonly fault: Fault;
	readonly toll: Toll;
	readonly excess: number;
}

const nothing: Pick<Fault, "price" | "excess"> = {
	price: "nothing",
	excess: ({ failures }) => failures.length,
};

const inFlight: Pick<Fault, "price" | "excess"> = {
	price: "the calls in flight when it happened",
	excess: ({ failures }, happenedAt) =>
		failures.filter(({ startedAt }) => startedAt > happenedAt).length,
};

/** Five in a row take an endpoint out; each caller may have one call there meanwhile. */
const untilEjected: Pick<Fault, "price" | "excess"> = {
	price: "the calls until it is ejected",
	excess: ({ failures }) => Math.max(failures.length - CALLERS, 0),
};

/** Until the default deadline of 10 s has passed, and all that it sets off. */
const DEADLINE_AND_MORE_MS = 13_000;

export const faults: readonly Fault[] = [
	{
		title: "every server restarted, one after the other",
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
		title: "one server of three killed (SIGKILL)",
		...nothing,
		async happen({ servers, now }) {
			const at = now();
			await servers[0]?.end("SIGKILL");
			await sleep(2000);
			return at;
		},
	},
	{
		title: "one server drained (SIGTERM), and not replaced",
		...nothing,
		async happen({ servers, now }) {
			const at = now();
			await servers[0]?.end("SIGTERM");
			await sleep(2000);
			return at;
		},
	},
	{
		title: "one server stopped (SIGSTOP)",
		...inFlight,
		async happen({ servers, now }) {
			servers[0]?.signal("SIGSTOP");
			const at = now();
			await sleep(DEADLINE_AND_MORE_MS);
			return at;
		},
	},
	{
		title: "the way to one server swallows everything",
		...inFlight,
		async happen({ hole, now }) {
			hole.open();
			const at = now();
			await sleep(DEADLINE_AND_MORE_MS);
			return at;
		},
	},
	{
		title: "one server 40 times slower",
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
		title: "one server accepts connections, and says nothing",
		...nothing,
		last: "silent",
		async happen({ now }) {
			await sleep(6000);
			return now();
		},
	},
	{
		title: "proxies that end each connection after 200 requests",
		all: "200 requests a connection",
		...nothing,
		async happen({ now }) {
			await sleep(2000);
			return now();
		},
	},
	{
		title: "servers that end each connection after 100 ms",
		all: "100 ms a connection",
		...nothing,
		async happen({ now }) {
			await sleep(2000);
			return now();
		},
	},
	{
		title: "a NAT that forgets the connection to one server",
		...nothing,
		async happen({ hole, now }) {
			hole.forget();
			const at = now();
			await sleep(4000);
			return at;
		},
	},
	{
		title: "hasty callers, ten times as many, at the stream limit",
		all: "narrow",
		hasty: 10 * CALLERS,
		...nothing,
		async happen({ now }) {
			await sleep(2000);
			return now();
		},
	},
];

/** Lets a fault happen under load, among three servers. */
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
