/**
 * Homing's client finds servers in other languages that another program has registered, and clients in other languages call
 * servers of homing that they find in a registry.
 */

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Registration } from "../../../src/discovery/registry.ts";
import { Watching } from "../../harness/watching.ts";
import { instruct, kinds, sizes, succeed } from "./cases/case.ts";
import { goClient, goMissing, goServer } from "./go.ts";
import { homingClient } from "./homing-client.ts";
import { homingServer } from "./homing-server.ts";
import type {
	ClientPeer,
	RunningClient,
	RunningServer,
	ServerPeer,
} from "./peer.ts";
import { pythonClient, pythonMissing, pythonServer } from "./python.ts";
import { consul, etcd, type RunningRegistry } from "./registries.ts";
import { rustClient, rustMissing, rustServer } from "./rust.ts";

interface Peer {
	readonly name: string;
	readonly missing: string | undefined;
	readonly server: ServerPeer;
	readonly client: ClientPeer;
}

const peers: readonly Peer[] = [
	{
		name: "grpc-go",
		missing: goMissing,
		server: goServer,
		client: goClient,
	},
	{
		name: "tonic",
		missing: rustMissing,
		server: rustServer,
		client: rustClient,
	},
	{
		name: "grpcio",
		missing: pythonMissing,
		server: pythonServer,
		client: pythonClient,
	},
];

const patience = { timeout: 10_000 };

describe.each([consul, etcd])("$kind", (system) => {
	if (system.missing !== undefined) {
		test.skip(system.missing);
		return;
	}
	let running: RunningRegistry;
	beforeAll(async () => {
		running = await system.start();
	});
	afterAll(() => running[Symbol.asyncDispose]());

	describe.each(peers)("$name", ({ name, missing, ...peer }) => {
		if (missing !== undefined) {
			test.skip(missing);
			return;
		}
		const closers: (() => PromiseLike<void>)[] = [];
		afterAll(async () => {
			for (const close of closers.reverse()) await close();
		});

		describe("a server that somebody registers", () => {
			let registration: Registration;
			let client: RunningClient;
			beforeAll(async () => {
				const server = await peer.server.start({});
				closers.push(() => server.stop());
				registration = await register(running, name, server);
				closers.push(() => registration[Symbol.asyncDispose]());
				const address = running.target(name);
				client = await homingClient.connect({ address });
				closers.push(() => client.close());
			});

			test.each(kinds)("is found and called by homing: %s", (method) =>
				callOnce(client, method),
			);

			test("is gone when it is taken out", async () => {
				await using watching = new Watching(running.resolver(name));
				await vi.waitFor(
					() => expect(watching.addresses).toHaveLength(1),
					patience,
				);
				await registration[Symbol.asyncDispose]();
				await vi.waitFor(
					() => expect(watching.addresses).toEqual([]),
					patience,
				);
			});
		});

		describe("a client that asks the registry", () => {
			let client: RunningClient;
			beforeAll(async () => {
				const homing = await homingServer.start({});
				closers.push(() => homing.stop());
				const service = `homing-for-${name}`;
				await homing.server.announce(running.registry, { name: service });
				const found = await vi.waitFor(async () => {
					const addresses = await running.find(service);
					expect(addresses).toEqual([homing.address]);
					return addresses;
				}, patience);
				client = await peer.client.connect({ address: found[0] as string });
				closers.push(() => client.close());
			});

			test.each(kinds)("calls the homing server that it finds: %s", (method) =>
				callOnce(client, method),
			);
		});
	});
});

/** Registers a server of any kind, as a program beside it can do. */
function register(
	{ registry }: RunningRegistry,
	name: string,
	{ address }: RunningServer,
): Promise<Registration> {
	const { hostname: host, port } = new URL(`tcp://${address}`);
	const signal = AbortSignal.timeout(10_000);
	return registry.register({ name, host, port: Number(port) }, signal);
}

async function callOnce(client: RunningClient, method: string): Promise<void> {
	const requests = [instruct({ replies: [1] })];
	expect(sizes(await succeed(client, { method, requests }))).toEqual([1]);
}
