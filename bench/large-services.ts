/**
 * Measures what a service with very many endpoints costs a client: `node bench/large-services.ts`, from the sources.
 *
 * Connections are faked, so that only homing's own work is measured: a call that fails because no endpoint can be reached,
 * calls that wait while one endpoint after the other fails to connect, and the longest turn of the event loop while the
 * endpoints of a resolver are taken over and connected, and when a few of them change.
 */

import { DirectCaller } from "../src/client/call/direct-caller.ts";
import { ChannelCore } from "../src/client/channel/channel-core.ts";
import { settleChannel } from "../src/client/channel/channel-setting.ts";
import { makeClient } from "../src/client/client-object.ts";
import type { Connect } from "../src/client/endpoint/connect.ts";
import type { ChannelOptions } from "../src/client/options/channel-options.ts";
import { compileClientOptions } from "../src/client/options/client-options.ts";
import type { Endpoint } from "../src/discovery/resolver.ts";
import { type Clock, systemClock } from "../src/policy/clock.ts";
import { FakeNetwork } from "../testdata/harness/fake-connection.ts";
import { ToldResolver } from "../testdata/harness/fleet.ts";
import { markdownTable } from "../testdata/harness/markdown-table.ts";
import { EchoService } from "../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../testdata/services/gen/echo/echo_rpc.ts";

const SIZES = [1, 1000, 10_000];
const LARGE = 100_000;
const CALLS = 2000;
const ROUNDS = 5;
const DEAD = 4000;
const WAITING = 1000;

/** Bounds: the longest turn of the event loop in milliseconds, and the ratio of a failing call with many endpoints to one with one. */
const MAX_STALL_MS = 50;
const MAX_RATIO = 2;

const refuses: Connect = async () => {
	await turn();
	throw new Error("connect ECONNREFUSED");
};

interface Made {
	readonly core: ChannelCore;
	readonly client: EchoServiceClient;
	readonly resolver: ToldResolver;
}

/** A clock that ignores long timers, so that failed endpoints are not connected to again. */
const patient: Clock = {
	...systemClock,
	afterIdle: (ms, action) =>
		ms < 500 ? systemClock.afterIdle(ms, action) : undefined,
};

const missed: string[] = [];

const failing = new Map<number, number>();
for (const size of SIZES) failing.set(size, await failingCallUs(size));
console.log("A call that fails because no endpoint can be reached\n");
console.log(
	markdownTable([
		["endpoints", "CPU time"],
		...[...failing].map(([size, us]) => [shown(size), `${us.toFixed(1)} µs`]),
	]),
);
const [one = 0, most = 0] = [failing.get(1), failing.get(10_000)];
if (most > one * MAX_RATIO) missed.push("a failing call");

const waitingMs = await waitingCallsMs();
console.log(
	`\n${shown(WAITING)} calls that wait while ${shown(DEAD)} endpoints fail to connect: ${waitingMs.toFixed(0)} ms of CPU time\n`,
);

console.log(`${shown(LARGE)} endpoints, with each balancer\n`);
for (const balancer of [
	"least_request",
	"round_robin",
	"ring_hash",
	"pick_first",
]) {
	console.log(`${balancer}: ${await large(balancer)}`);
}
console.log(
	missed.length === 0
		? `\nA failing call costs about the same with any number of endpoints, and no turn of the event loop takes over ${MAX_STALL_MS} ms.\n`
		: `\nTOO SLOW: ${missed.join(", ")}\n`,
);
if (process.argv.includes("--check") && missed.length > 0) process.exitCode = 1;
process.exit();

async function failingCallUs(size: number): Promise<number> {
	const { core, client } = channel(refuses, list(size), {}, patient);
	core.exitIdle();
	while (core.state !== "transientFailure") await turn();
	const samples: number[] = [];
	for (let round = 0; round <= ROUNDS; round++) {
		const before = process.threadCpuUsage();
		for (let i = 0; i < CALLS; i++) await client.echo({}).catch(() => {});
		samples.push((cpuMs(before) / CALLS) * 1000);
	}
	// The first round warms up.
	return samples.slice(1).sort((a, b) => a - b)[ROUNDS >> 1] as number;
}

async function waitingCallsMs(): Promise<number> {
	const { client } = channel(refuses, list(DEAD), {}, patient);
	const before = process.threadCpuUsage();
	const calls = Array.from({ length: WAITING }, () =>
		client.echo({}, { timeoutMs: 60_000 }).catch(() => {}),
	);
	await Promise.all(calls);
	return cpuMs(before);
}

async function large(balancer: string): Promise<string> {
	const network = new FakeNetwork();
	let [underWay, most] = [0, 0];
	const connect: Connect = async (...given) => {
		most = Math.max(most, ++underWay);
		await turn();
		underWay -= 1;
		return network.connect(...given);
	};
	globalThis.gc?.();
	const heapBefore = process.memoryUsage().heapUsed;
	const { core, client, resolver } = channel(connect, list(LARGE), {
		balancer,
	});
	const began = performance.now();
	const adopting = stall();
	let firstMs = 0;
	client.echo({}, { timeoutMs: 120_000 }).catch(() => {});
	const wanted =
		balancer === "pick_first" || balancer === "ring_hash" ? 1 : LARGE;
	while (network.connections.length < wanted) {
		await turn();
		if (firstMs === 0 && core.state === "ready")
			firstMs = performance.now() - began;
		if (performance.now() - began > 120_000) break;
	}
	const allMs = performance.now() - began;
	await new Promise((resolve) => setTimeout(resolve, 500));
	if (firstMs === 0) firstMs = performance.now() - began;
	const adoptedMs = adopting();
	globalThis.gc?.();
	const heap = process.memoryUsage().heapUsed - heapBefore;
	const next = list(LARGE);
	for (let i = 0; i < 10; i++) next[i * 1000] = { address: `10.99.0.${i}:1` };
	const updating = stall();
	resolver.tell({ endpoints: next });
	await new Promise((resolve) => setTimeout(resolve, 3000));
	const updateMs = updating();
	if (Math.max(adoptedMs, updateMs) > MAX_STALL_MS)
		missed.push(`${balancer}'s stalls`);
	await core.close(0);
	return [
		`first answer possible after ${firstMs.toFixed(0)} ms`,
		`all connected after ${(allMs / 1000).toFixed(1)} s`,
		`at most ${most} dials at once`,
		`longest stall ${adoptedMs.toFixed(0)} ms, of an update of ten ${updateMs.toFixed(0)} ms`,
		`${(heap / LARGE).toFixed(0)} B of heap an endpoint`,
	].join("; ");
}

/**
 * Starts to measure the turns of the event loop. The function that it returns stops the measurement and returns the longest turn,
 * in milliseconds of CPU time of this thread, which depends little on what else the machine does.
 */
function stall(): () => number {
	let longest = 0;
	let over = false;
	let last = process.threadCpuUsage();
	const look = (): void => {
		longest = Math.max(longest, cpuMs(last));
		last = process.threadCpuUsage();
		if (!over) setImmediate(look);
	};
	setImmediate(look);
	return () => {
		over = true;
		return longest;
	};
}

function channel(
	connect: Connect,
	endpoints: readonly Endpoint[],
	options: ChannelOptions = {},
	clock: Clock = systemClock,
): Made {
	const resolver = new ToldResolver({ endpoints });
	const core = new ChannelCore(
		settleChannel(resolver, options, { clock, random: Math.random, connect }),
	);
	const { policies } = compileClientOptions(
		EchoService,
		{ retryPolicy: false },
		undefined,
	);
	const caller = new DirectCaller(core, EchoService.methods, policies);
	const client = makeClient<EchoServiceClient>(EchoService, caller, {
		channel: undefined,
		close: () => core.close(0),
	});
	return { core, client, resolver };
}

function list(size: number): Endpoint[] {
	return Array.from({ length: size }, (_, i) => ({
		address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:50051`,
	}));
}

function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

function cpuMs(before: NodeJS.CpuUsage): number {
	const { user, system } = process.threadCpuUsage(before);
	return (user + system) / 1000;
}

function shown(number: number): string {
	return number.toLocaleString("en");
}
