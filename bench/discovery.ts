/**
 * What discovery costs: `node bench/discovery.ts`, from the sources, against
 * real systems on this machine, those that `npm run peers` has built.
 *
 * Of each system: from the moment at which a server begins to announce itself to
 * the first answer that a running client has from it; and the CPU time of a
 * process whose client watches a service while nothing happens, beside one that
 * has its endpoint's address and watches nothing.
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
	/** Where clients find a service. */
	target(service: string): string;
}

interface Contestant {
	readonly name: string;
	/** Why it cannot be had here. */
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
 * From one trial to the next, each of which changes the service twice: one that
 * changes more often than that is not asked for each time (docs/consul.md), and
 * that is not what is measured.
 */
const PAUSE_MS = 1000;

/** Of the slowest. */
const MAX_UNTIL_CALLED_MS = 200;
/** More than without a watch. Two processes that do nothing at all differ by 0.1 and more. */
const MAX_IDLE_MS_PER_S = 0.3;

const [mode, target = ""] = process.argv.slice(2);
if (mode === "idle") console.log(await idleCpu(target));
else process.exitCode = (await run()) || mode !== "--check" ? 0 : 1;

/** Resolves with whether all are within their bounds. */
async function run(): Promise<boolean> {
	const rows: string[][] = [];
	let within = true;
	for (const { name, missing, start } of CONTESTANTS) {
		if (missing !== undefined) {
			console.log(`${name} is left out: ${missing}`);
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
		"until called",
		"the slowest",
		"CPU, watching",
		"CPU, not watching",
	];
	console.log(markdownTable([head, ...rows]));
	console.log(
		within
			? `\nAll are called within ${MAX_UNTIL_CALLED_MS} ms, and watching takes at most ${MAX_IDLE_MS_PER_S} ms of CPU a second.\n`
			: "\nTOO SLOW\n",
	);
	return within;
}

/** A server that says who it is. */
async function serving(name: string): Promise<Server> {
	const server = new Server();
	server.add(EchoService, { echo: () => ({ resp: name }) });
	await server.listen("127.0.0.1:0");
	return server;
}

/** In milliseconds, the shortest first. */
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

/** CPU time, in milliseconds a second. */
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

/** Of this process, with a client that has nothing to do. */
async function idleCpu(target: string): Promise<number> {
	await using client = newClient<EchoServiceClient>(EchoService, target);
	await client.echo({});
	// What was compiled and thrown away so far is not what is measured.
	await new Promise((resolve) => setTimeout(resolve, 5000));
	const before = process.cpuUsage();
	await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
	const { user, system } = process.cpuUsage(before);
	return user / IDLE_MS + system / IDLE_MS;
}
