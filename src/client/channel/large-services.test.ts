import { afterAll, describe, expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { FakeNetwork } from "../../../testdata/harness/fake-connection.ts";
import { ToldResolver } from "../../../testdata/harness/fleet.ts";
import { Steps } from "../../../testdata/harness/steps.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import { formatAddress } from "../../discovery/targets/address.ts";
import type { Connect } from "../endpoint/connect.ts";
import type { ClientOptions } from "../options/client-options.ts";

const steps = await Steps.counting(
	/\/src\/(client|balancer)\/(?!.*\.test\.ts)/,
);
afterAll(() => steps[Symbol.asyncDispose]());
const { clientInTime } = await import(
	"../../../testdata/harness/client-in-time.ts"
);

function list(count: number): Endpoint[] {
	return Array.from({ length: count }, (_, i) => ({
		address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:1`,
	}));
}

function clientOf(count: number, connect: Connect, options: ClientOptions) {
	const clock = new FakeClock();
	const resolver = new ToldResolver({ endpoints: list(count) });
	const made = clientInTime<EchoServiceClient>(
		EchoService,
		resolver,
		options,
		clock,
		{ connect },
	);
	return { ...made, resolver };
}

function refusing(): FakeNetwork {
	const network = new FakeNetwork();
	network.mood = "refuses";
	return network;
}

describe.each(["round_robin", "least_request", "pick_first", "ring_hash"])(
	"%s",
	(balancer) => {
		test("a call that fails takes the same steps with 3,000 dead endpoints as with 10", async () => {
			const stepsWith = async (count: number): Promise<number> => {
				const network = refusing();
				const { client, core, clock } = clientOf(count, network.connect, {
					balancer,
				});
				core.exitIdle();
				while (network.asked.length < count) {
					await clock.advance(0);
					core.exitIdle();
				}
				await clock.advance(0);
				const call = async (): Promise<void> => {
					await expect(
						client.echo({}, { hashKey: "one", retryPolicy: false }),
					).rejects.toThrow("refuses");
				};
				await call();
				const taken = await steps.of(async () => {
					for (let i = 0; i < 20; i++) await call();
				});
				await core.close(0);
				return taken / 20;
			};
			const few = await stepsWith(10);
			expect(few).toBeGreaterThan(10);
			expect(await stepsWith(3000)).toBeLessThan(few * 1.1);
		});
	},
);

describe.each([false, true])("with waitForReady %s", (waitForReady) => {
	test("1,000 calls that wait cost no more for each endpoint that turns out to be dead", async () => {
		const stepsWith = async (calls: number): Promise<number> => {
			const { client, core, clock } = clientOf(1000, refusing().connect, {
				balancer: "round_robin",
				retryPolicy: false,
				waitForReady,
			});
			const ends: Promise<unknown>[] = [];
			const taken = await steps.of(async () => {
				for (let i = 0; i < calls; i++) {
					ends.push(client.echo({}).catch(() => {}));
				}
				while (core.state !== "transientFailure") await clock.advance(0);
			});
			await core.close(0);
			await Promise.all(ends);
			return taken;
		};
		const one = await stepsWith(1);
		const many = await stepsWith(1000);
		expect((many - one) / 999).toBeLessThan(500);
	});
});

test("calls that wait go out as soon as one endpoint among many dead ones is there", async () => {
	const network = refusing();
	const { client, core, clock } = clientOf(
		300,
		async (address, listener, signal) => {
			if (network.asked.length === 250) network.mood = "connects";
			try {
				return await network.connect(address, listener, signal);
			} finally {
				network.mood = "refuses";
			}
		},
		{ balancer: "round_robin" },
	);
	const calls = Array.from({ length: 200 }, () => client.echo({}));
	const all = Promise.allSettled(calls);
	await clock.advance(0);
	expect(clock.now()).toBe(0);
	expect(network.at(0).streams.size).toBe(200);
	await core.close(0);
	await all;
});

test("of 1,000 endpoints at most 100 are dialed at the same time, in their order, and those that stand are called at once", async () => {
	const network = new FakeNetwork();
	const held: (() => void)[] = [];
	let [underWay, most] = [0, 0];
	const { client, core, clock, resolver } = clientOf(
		1000,
		async (...given) => {
			most = Math.max(most, ++underWay);
			await new Promise<void>((resolve) => held.push(resolve));
			underWay -= 1;
			return network.connect(...given);
		},
		{ balancer: "round_robin" },
	);
	const call = client.echo({}).catch(() => {});
	await clock.advance(0);
	expect(underWay).toBe(100);
	held.shift()?.();
	await clock.advance(0);
	expect(network.at(0).streams.size).toBe(1);
	// Of those that wait their turn, all but the last leave.
	const all = list(1000);
	resolver.tell({ endpoints: [...all.slice(0, 101), ...all.slice(-1)] });
	await clock.advance(0);
	while (held.length > 0) {
		held.shift()?.();
		await clock.advance(0);
	}
	expect(network.asked).toEqual(
		[...all.slice(0, 101), ...all.slice(-1)].map(({ address }) => address),
	);
	expect(most).toBe(100);
	await core.close(0);
	await call;
});

test("the backoff of an endpoint counts from its own dial, however long it waited for its turn", async () => {
	const heard: [string, number][] = [];
	const last = list(150).at(-1)?.address;
	const { core, clock } = clientOf(
		150,
		async (address, _, signal) => {
			if (formatAddress(address) === last) throw new Error("refused");
			await new Promise((_, reject) => {
				signal.addEventListener("abort", () => reject(signal.reason));
			});
			throw new Error("never");
		},
		{
			balancer: "round_robin",
			hooks: {
				endpointState: ({ address }, state) => {
					if (address === last) heard.push([state, clock.now()]);
				},
			},
		},
	);
	core.exitIdle();
	await clock.advance(3000);
	expect(heard).toEqual([
		["connecting", 0],
		["transientFailure", 1000],
		["idle", 2000],
		["connecting", 2000],
	]);
	await core.close(0);
});
