import type { Directory } from "./directory.ts";
import type { SimulatedNetwork } from "./network.ts";
import { type Policy, roundRobin } from "./policies.ts";
import type { SimulatedServer } from "./server.ts";

/** What happens to a service, and to whom it matters. */
export interface Scenario {
	/** Of its plot's file. */
	readonly name: string;
	readonly title: string;
	/** What happens, for the page. */
	readonly story: string;
	readonly servers: number;
	/** Channels, each of which knows only what it has seen itself. */
	readonly clients: number;
	/** Servers and clients are spread over so many. */
	readonly zones: number;
	/** Calls a second, of all clients together. */
	readonly rate: number;
	readonly seconds: number;
	/** From this second on the calls count. */
	readonly faultAt: number;
	/** When whatever ails the service is over; Infinity when it lasts. */
	readonly overAt: number;
	/** Calls have so many milliseconds. */
	readonly timeoutMs: number;
	readonly workers: number;
	readonly queueLimit: number;
	/** What half of the requests take at most, in milliseconds. */
	readonly medianServiceMs: number;
	/** What a server has done later after its arrival, in milliseconds, it answers with UNAVAILABLE. */
	readonly patienceMs: number;
	/** How often it is lived through, each time with other chances; what is told is of all of them. */
	readonly runs: number;
	readonly policies: readonly Policy[];
	/** What the defaults are held against. */
	readonly against: Policy;
	/** Arranges what is to happen. */
	script(world: World): void;
}

/** What a scenario can turn. */
export interface World {
	readonly network: SimulatedNetwork;
	readonly servers: readonly SimulatedServer[];
	readonly directory: Directory;
	/** At a second, counted from the beginning. */
	at(second: number, action: () => void): void;
	/** Another number of calls a second. */
	setRate(rate: number): void;
}

/** Ten servers at little more than half of what they can do, and ten clients: what most scenarios begin with. */
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

/** A call is good if it goes well within so many times what half of the requests take. */
export const GOOD = 10;
