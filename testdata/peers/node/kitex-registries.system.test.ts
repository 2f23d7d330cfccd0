/** homing and Kitex find each other in the registries of Kitex's registry-consul and registry-etcd. */

import { randomUUID } from "node:crypto";
import { Channel } from "homing";
import { Server } from "homing/server";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type {
	Instance,
	Registration,
} from "../../../src/discovery/registry.ts";
import { Watching } from "../../harness/watching.ts";
import {
	NewAbsentClient,
	NewPeerClient,
	RegisterPeerServer,
	UnimplementedPeerServer,
} from "../gen/peer_rpc.ts";
import { instruct, kinds, sizes, succeed } from "./cases/case.ts";
import { performer } from "./connect-calls.ts";
import {
	foundByKitex,
	type KitexRegistry,
	kitexMissing,
	kitexProgram,
	registryFlags,
} from "./kitex.ts";
import type { RunningClient } from "./peer.ts";
import {
	programClient,
	programServer,
	type RunningProgram,
} from "./program.ts";
import { consul, etcd, type RunningRegistry } from "./registries.ts";
import { peerService } from "./service.ts";

/** A registered server of homing. */
interface HomingServer {
	readonly address: string;
	readonly server: Server;
	readonly registration: Registration;
	/** How many calls it has handled. */
	calls(): number;
}

const systems = [
	{ kind: consul.kind, system: consul, callsIPv6: false },
	{ kind: etcd.kind, system: etcd, callsIPv6: true },
];

describe.each(systems)("$kind", ({ kind, system, callsIPv6 }) => {
	const reason = kitexMissing ?? system.missing;
	if (reason !== undefined) {
		test.skip(reason);
		return;
	}

	const closers: (() => Promise<void>)[] = [];
	let running: RunningRegistry;
	let at: KitexRegistry;

	beforeAll(async () => {
		running = await system.start();
		closers.push(async () => running[Symbol.asyncDispose]());
		const service = `payment-${randomUUID()}`;
		at = { kind, address: running.address, service };
	});

	afterAll(async () => {
		for (const close of closers.reverse()) await close();
	});

	describe("homing finds Kitex", () => {
		let [one, two, three]: RunningProgram[] = [];
		let watching: Watching;
		let client: RunningClient;

		beforeAll(async () => {
			[one, two, three] = await Promise.all(
				[["-weight", "30", "-tag", "lane=blue:green"], [], []].map(kitexServer),
			);
			watching = new Watching(running.resolver(at.service));
			closers.push(async () => watching[Symbol.asyncDispose]());
			client = homingClient(running.target(at.service));
			closers.push(() => client.close());
			await expectAddresses([one, two, three]);
		});

		test("servers, with their weights and tags", () => {
			expect(watching.seen.at(-1)?.endpoints).toEqual(
				expect.arrayContaining([
					{
						address: one?.address,
						weight: 30,
						attributes: { lane: "blue:green" },
					},
					// Kitex's default.
					{ address: two?.address, weight: 10 },
				]),
			);
		});

		test.each(kinds)("and calls them: %s", (method) =>
			callOnce(client, method),
		);

		test("a server that ends is gone, and no call fails meanwhile", async () => {
			await callingWhile(client, async () => {
				await two?.stop();
				await expectAddresses([one, three]);
			});
		});

		test("a server that is killed is gone within its time to live, and no call fails meanwhile", async () => {
			await callingWhile(client, async () => {
				await three?.kill();
				await expectAddresses([one]);
			});
		});

		async function expectAddresses(
			servers: readonly (RunningProgram | undefined)[],
		): Promise<void> {
			const wanted = servers.map((server) => server?.address).sort();
			await vi.waitFor(
				() => expect(watching.addresses?.toSorted()).toEqual(wanted),
				{ timeout: 20_000 },
			);
		}
	});

	describe("Kitex finds homing", () => {
		let [one, two]: HomingServer[] = [];
		let homings: KitexRegistry;
		let client: RunningClient;

		beforeAll(async () => {
			homings = { ...at, service: `homing-${at.service}` };
			one = await homingServer({ weight: 30, tags: ["lane:blue:green"] });
			two = await homingServer({ weight: 10 });
			await expectFound([one, two]);
			const program = kitexProgram(registryFlags(homings));
			client = await programClient(program).connect({});
			closers.push(() => client.close());
		});

		test("servers, with their weights and tags", async () => {
			expect(await foundByKitex(homings)).toEqual(
				expect.arrayContaining([
					{
						address: one?.address,
						weight: 30,
						tags: { lane: "blue:green" },
					},
					{ address: two?.address, weight: 10, tags: {} },
				]),
			);
		});

		test.each(kinds)("and calls them: %s", (method) =>
			callOnce(client, method),
		);

		test("and gives each the share of its weight", async () => {
			const before = [one, two].map((server) => server?.calls() ?? 0);
			for (let i = 0; i < 400; i++) await callOnce(client, "Unary");
			const [first = 0, second = 0] = [one, two].map(
				(server, i) => (server?.calls() ?? 0) - (before[i] ?? 0),
			);
			expect(first + second).toBe(400);
			expect(first).toBeGreaterThan(260);
			expect(first).toBeLessThan(340);
		});

		test("but not one that is not serving", async () => {
			await two?.registration.setServing(false);
			await expectFound([one]);
			await two?.registration.setServing(true);
			await expectFound([one, two]);
		});

		// Kitex queries the registry every 5 s, and its calls fail on a connection that is going away.
		test("a server that shuts down is gone, and no call fails where Kitex has the time to hear of it", async () => {
			await callingWhile(client, async () => {
				const shutdown = two?.server.shutdown({ propagationMs: 7_000 });
				await expectFound([one]);
				await shutdown;
			});
		});

		test(`over IPv6, ${callsIPv6 ? "too" : "but cannot call it"}`, async () => {
			const service = `ipv6-${at.service}`;
			await homingServer({ name: service }, "[::1]:0");
			expect(await foundByKitex({ ...at, service })).toHaveLength(1);
			const program = kitexProgram(registryFlags({ ...at, service }));
			const client = await programClient(program).connect({});
			closers.push(() => client.close());
			const requests = [instruct({ replies: [1] })];
			const { status } = await client.perform({ method: "Unary", requests });
			expect(status?.code === 0, status?.message).toBe(callsIPv6);
		});

		async function homingServer(
			instance: Partial<Instance>,
			listen = "127.0.0.1:0",
		): Promise<HomingServer> {
			const server = new Server();
			closers.push(() => server.shutdown({ graceMs: 0 }));
			RegisterPeerServer(
				server,
				Object.assign(new UnimplementedPeerServer(), peerService()),
			);
			const { address } = await server.listen(listen);
			const registration = await server.announce(running.registry, {
				name: homings.service,
				...instance,
			});
			return {
				address,
				server,
				registration,
				calls: () => server.snapshot().calls.started,
			};
		}

		async function expectFound(
			servers: readonly (HomingServer | undefined)[],
		): Promise<void> {
			const wanted = servers.map((server) => server?.address).sort();
			const found = async () =>
				(await foundByKitex(homings)).map(({ address }) => address).sort();
			await vi.waitFor(async () => expect(await found()).toEqual(wanted), {
				timeout: 20_000,
			});
		}
	});

	async function kitexServer(
		flags: readonly string[],
	): Promise<RunningProgram> {
		const program = kitexProgram([...registryFlags(at), ...flags], {
			// The TTL of the lease for a server's key in etcd, in seconds.
			KITEX_ETCD_REGISTRY_LEASE_TTL: "2",
		});
		const server = await programServer(program, { compresses: true }).start({});
		closers.push(() => server.stop());
		return server;
	}
});

/** A retry policy for calls that the server may not have executed, so that no call fails when a server is killed. */
function homingClient(target: string): RunningClient {
	const channel = new Channel(target);
	const retryPolicy = {
		maxAttempts: 3,
		initialBackoff: "0.01s",
		maxBackoff: "0.1s",
		backoffMultiplier: 2,
		retryableStatusCodes: ["UNAVAILABLE"],
	} as const;
	const peer = NewPeerClient(channel, { retryPolicy });
	return {
		perform: performer(peer, NewAbsentClient(channel)),
		close: () => channel.close(),
	};
}

async function callOnce(client: RunningClient, method: string): Promise<void> {
	const requests = [instruct({ replies: [1] })];
	expect(sizes(await succeed(client, { method, requests }))).toEqual([1]);
}

/** Makes one call after another until the action has ended. */
async function callingWhile(
	client: RunningClient,
	action: () => Promise<void>,
): Promise<void> {
	let done = false;
	const calling = async (): Promise<void> => {
		while (!done) await callOnce(client, "Unary");
	};
	await Promise.all([
		calling(),
		action().finally(() => {
			done = true;
		}),
	]);
}
