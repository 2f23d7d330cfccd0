/** `npm run soak`: looks for leaks after more than a million calls. bench/README.md describes how. */

import { parseArgs } from "node:util";
import { channelOf, closeClient } from "homing";
import { Server } from "homing/server";
import { NewSoakClient, RegisterSoakServer } from "./gen/soak_rpc.ts";
import {
	CANCELLED_CALLS,
	GOOD_CALLS,
	type SoakCall,
	TIMED_OUT_CALLS,
} from "./soak/calls.ts";
import {
	activeResources,
	describe,
	type Leftovers,
	leftovers,
} from "./soak/leftovers.ts";
import { SoakService } from "./soak/service.ts";

/** How many objects more than before are allowed: Node may keep one for each connection. Leaks grow with the calls. */
const NODES_OWN = 8;

const CALLS = 1_200_000;
const IN_FLIGHT = 64;
const MAX_GROWTH_BYTES = 1024 * 1024;

/** How many calls to make until everything that is created on first use exists. */
const FIRST_CALLS = 2400;

/** The number of clients. Several, so that the resets of cancelled calls are spread over several connections. */
const CLIENTS = 8;

const { values } = parseArgs({
	options: { fraction: { type: "string", default: "1" } },
});
const calls = Math.round(CALLS * Number(values.fraction));

const service = new SoakService();
const server = new Server();
RegisterSoakServer(server, service);
const { address } = await server.listen("127.0.0.1:0");
const clients = Array.from({ length: CLIENTS }, () => NewSoakClient(address));
const { signal } = new AbortController();

const violations: string[] = [];
let made = 0;
const startedAt = performance.now();

await makeCalls(FIRST_CALLS);
const first = await rest();
await makeCalls(calls / 5);
const fifth = await rest();
await makeCalls(calls);
const last = await rest();

violations.push(...differences(first, last));
const growth = last.heapBytes - fifth.heapBytes;
if (growth > MAX_GROWTH_BYTES) {
	violations.push(
		`the heap has grown by ${growth} bytes since a fifth of the calls`,
	);
}

await Promise.all(clients.map((client) => closeClient(client)));
await server.shutdown();
await settle();
const resources = activeResources();
console.log(`after closing both sides, alive: ${resources || "nothing"}`);
if (resources !== "") violations.push(`left after closing: ${resources}`);

for (const violation of violations) console.error(`LEAK: ${violation}`);
if (violations.length > 0) process.exitCode = 1;

/** Makes calls, `IN_FLIGHT` at a time, until `total` calls have been made since the start. */
async function makeCalls(total: number): Promise<void> {
	const work = async (): Promise<void> => {
		while (made < total) {
			const number = made++;
			const client = clients[number % clients.length] as (typeof clients)[0];
			await callOf(number)({ client, service, signal, number });
		}
	};
	await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

/** Chooses the kind of a call. Of twelve calls, ten succeed, one is cancelled, and one exceeds its deadline. */
function callOf(number: number): SoakCall {
	const turn = number % 12;
	const kinds =
		turn < 10 ? GOOD_CALLS : turn === 10 ? CANCELLED_CALLS : TIMED_OUT_CALLS;
	const which = turn < 10 ? turn : Math.floor(number / 12);
	return kinds[which % kinds.length] as SoakCall;
}

/** Waits until nothing is in flight, and then counts what is left. */
async function rest(): Promise<Leftovers> {
	await settle();
	const left = await leftovers(signal);
	const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
	console.log(`${made} calls, ${seconds} s: ${describe(left)}`);
	return left;
}

/** Waits until no call is in flight. A server needs a moment to notice that a call was cancelled. */
async function settle(): Promise<void> {
	const deadline = performance.now() + 10_000;
	while (inFlight() > 0 && performance.now() < deadline) {
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	if (inFlight() > 0) violations.push(`${inFlight()} calls are still open`);
	// Streams and sockets close a few turns after their calls. A connection is watched for a second after its last call.
	await new Promise((resolve) => setTimeout(resolve, 1500));
}

/** The number of calls in flight on both sides. */
function inFlight(): number {
	const ofClients = clients.map(
		(client) =>
			channelOf(client)?.snapshot() as { readonly callsInFlight: number },
	);
	return ofClients.reduce(
		(sum, { callsInFlight }) => sum + callsInFlight,
		server.snapshot().calls.inFlight,
	);
}

function differences(before: Leftovers, after: Leftovers): string[] {
	const counted = ["timers", "streams", "abortSignals", "listeners"] as const;
	return counted
		.filter((what) => after[what] > before[what] + NODES_OWN)
		.map((what) => `${what}: ${before[what]} before, ${after[what]} after`);
}
