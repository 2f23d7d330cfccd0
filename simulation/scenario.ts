import type { Directory } from "./directory.ts";
import type { SimulatedNetwork } from "./network.ts";
import { type Policy, roundRobin } from "./policies.ts";
import type { SimulatedServer } from "./server.ts";

/** A service, what happens to it, and the policies under which it is simulated. */
export interface Scenario {
	/** The name on the command line, and of the plot's file. */
	readonly name: string;
	readonly title: string;
	/** Describes what happens, for the page. */
	readonly story: string;
	readonly servers: number;
	/** The number of channels. Each knows only what it has observed itself. */
	readonly clients: number;
	/** The number of zones, over which servers and clients are spread evenly. */
	readonly zones: number;
	/** Calls per second of all clients together. */
	readonly rate: number;
	readonly seconds: number;
	/** The second of the fault. Calls are counted from then on. */
	readonly faultAt: number;
	/** The second in which the fault is over. Infinity if it lasts. */
	readonly overAt: number;
	/** The timeout of calls, in milliseconds. */
	readonly timeoutMs: number;
	readonly workers: number;
	readonly queueLimit: number;
	/** The median service time of requests, in milliseconds. */
	readonly medianServiceMs: number;
	/** A server answers with UNAVAILABLE if it finishes a request later than this after its arrival, in milliseconds. */
	readonly patienceMs: number;
	/** The number of runs with different random numbers, which are merged. */
	readonly runs: number;
	readonly policies: readonly Policy[];
	/** The policy that the defaults are compared with. */
	readonly against: Policy;
	/** Schedules what happens. */
	script(world: World): void;
}

/** What a scenario can change. */
export interface World {
	readonly network: SimulatedNetwork;
	readonly servers: readonly SimulatedServer[];
	readonly directory: Directory;
	/** Schedules an action, at a second counted from the start. */
	at(second: number, action: () => void): void;
	/** Changes the number of calls per second. */
	setRate(rate: number): void;
}

/** The base of most scenarios: ten clients, and ten servers at little more than half of their capacity. */
export const tenServers = {
	servers: 10,
	clients: 10,
	zones: 1,
	rate: 1200,
	seconds: 40,
	faultAt: 10,
	overAt: Number.POSITIVE_INFINITY,
	timeoutMs: 1000,
	workers: 4,
	queueLimit: 100,
	medianServiceMs: 15,
	patienceMs: Number.POSITIVE_INFINITY,
	runs: 3,
	against: roundRobin,
} satisfies Partial<Scenario>;

/** A call is good if it succeeds within this many times the median service time. */
export const GOOD = 10;
