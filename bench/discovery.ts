/**
 * Measures discovery: `node bench/discovery.ts`, from the sources, against real registries on this machine, which
 * `npm run peers` builds.
 *
 * For each registry it prints the time from the moment a server starts to announce itself until a running client gets its
 * first answer from that server, and the CPU time of an idle process whose client watches a service, beside one whose
 * client has a fixed address and watches nothing.
 */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { newClient } from "../src/client.ts";
import { consulRegistry } from "../src/consul.ts";
import { etcdRegistry } from "../src/etcd.ts";
import { type Registry, Server } from "../src/server.ts";
import {
	ConsulAgent,
	consulMissing,
} from "../testdata/harness/consul-agent.ts";
import { EtcdServer, etcdMissing } from "../testdata/harness/etcd-server.ts";
import { markdownTable } from "../testdata/harness/markdown-table.ts";
import { EchoService } from "../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../testdata/services/gen/echo/echo_rpc.ts";

/** A registry that runs on this machine. */
interface System extends AsyncDisposable {
	readonly registry: Registry;
	/** The target by which clients find a service. */
	target(service: string): string;
}

interface Contestant {
	readonly name: string;
	/** Why it is not available on this machine, if it is not. */
	readonly missing: string | undefined;
	start(): Promise<System>;
}

const CONTESTANTS: readonly Contestant[] = [
	{
		name: "Consul",
		missing: consulMissing,
		async start() {
			const consul = await ConsulAgent.start();
			return {
				registry: consulRegistry({ agent: consul.address }),
				target: (service) => `consul://${consul.address}/${service}`,
				[Symbol.asyncDispose]: () => consul[Symbol.asyncDispose](),
			};
		},
	},
	{
		name: "etcd",
		missing: etcdMissing,
		async start() {
			const etcd = await EtcdServer.start();
			return {
				registry: etcdRegistry({ hosts: etcd.hosts }),
				target: (service) =>
					`etcd://${etcd.address}/kitex/registry-etcd/${service}`,
				[Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
			};
		},
	},
];

const TRIALS = 21;
const IDLE_MS = 20_000;

/**
 * The pause between two trials. Each trial changes the service twice. homing does not ask for every change of a service that
 * changes more often than this (docs/consul.md), and that is not to be measured.
 */
const PAUSE_MS = 1000;

/** Bound for the slowest trial, in milliseconds. */
const MAX_UNTIL_CALLED_MS = 200;
/** Bound for the CPU time that watching adds, in milliseconds a second. Two idle processes differ by 0.1 and more. */
const MAX_IDLE_MS_PER_S = 0.3;

const [mode, target = ""] = process.argv.slice(2);
if (mode === "idle") console.log(await idleCpu(target));
else process.exitCode = (await run()) || mode !== "--check" ? 0 : 1;

/** Measures all registries. Returns whether all are within their bounds. */
async function run(): Promise<boolean> {
	const rows: string[][] = [];
	let within = true;
	for (const { name, missing, start } of CONTESTANTS) {
		if (missing !== undefined) {
			console.log(`${name} is skipped: ${missing}`);
			continue;
		}
		await using system = await start();
		const times = await untilCalled(system);
		const { watching, still } = await idle(system);
		const slowest = times.at(-1) as number;
		within &&= slowest <= MAX_UNTIL_CALLED_MS;
		within &&= watching - still <= MAX_IDLE_MS_PER_S;
		rows.push([
			name,
			`${(times[TRIALS >> 1] as number).toFixed(1)} ms`,
			`${slowest.toFixed(1)} ms`,
			`${watching.toFixed(2)} ms/s`,
			`${still.toFixed(2)} ms/s`,
		]);
	}
	const head = [
		"",
		"until the first call",
		"slowest",
		"CPU, watching",
		"CPU, not watching",
	];
	console.log(markdownTable([head, ...rows]));
	console.log(
		within
			? `\nAll servers are called within ${MAX_UNTIL_CALLED_MS} ms, and watching takes at most ${MAX_IDLE_MS_PER_S} ms of CPU time a second.\n`
			: "\nTOO SLOW\n",
	);
	return within;
}

/** A server that answers with its name. */
async function serving(name: string): Promise<Server> {
	const server = new Server();
	server.add(EchoService, { echo: () => ({ resp: name }) });
	await server.listen("127.0.0.1:0");
	return server;
}

/** Times until the first call, in milliseconds, sorted. */
async function untilCalled({ registry, target }: System): Promise<number[]> {
	await using first = await serving("first");
	await first.announce(registry, { name: "until-called" });
	await using client = newClient<EchoServiceClient>(
		EchoService,
		target("until-called"),
		{ balancer: "round_robin" },
	);
	await client.echo({});
	const times: number[] = [];
	for (let trial = 0; trial < TRIALS; trial++) {
		await using server = await serving("new");
		const began = performance.now();
		const announced = server.announce(registry, { name: "until-called" });
		while ((await client.echo({})).resp !== "new");
		times.push(performance.now() - began);
		await announced;
		await server.shutdown();
		await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
	}
	return times.sort((a, b) => a - b);
}

/** CPU time of idle clients, in milliseconds a second. */
async function idle({
	registry,
	target,
}: System): Promise<{ watching: number; still: number }> {
	await using server = await serving("idle");
	const { port } = await server.listen("127.0.0.1:0");
	await server.announce(registry, { name: "idle" });
	const cpu = async (target: string): Promise<number> => {
		const { stdout } = await promisify(execFile)(process.execPath, [
			fileURLToPath(import.meta.url),
			"idle",
			target,
		]);
		return Number(stdout);
	};
	const [watching, still] = await Promise.all([
		cpu(target("idle")),
		cpu(`127.0.0.1:${port}`),
	]);
	return { watching, still };
}

/** CPU time of this process with an idle client, in milliseconds a second. */
async function idleCpu(target: string): Promise<number> {
	await using client = newClient<EchoServiceClient>(EchoService, target);
	await client.echo({});
	// Wait until the work after the start, such as optimizing and collecting garbage, is over.
	await new Promise((resolve) => setTimeout(resolve, 5000));
	const before = process.cpuUsage();
	await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
	const { user, system } = process.cpuUsage(before);
	return user / IDLE_MS + system / IDLE_MS;
}
