import { describe, expect, test } from "vitest";
import {
	type FakeConnection,
	FakeNetwork,
} from "../../../testdata/harness/fake-connection.ts";
import { observedSubchannel } from "../../../testdata/harness/observed-subchannel.ts";
import type { SubchannelSetting } from "./subchannel.ts";

/** A subchannel whose connections have so many streams each. */
async function withStreams(
	maxStreams: number,
	setting?: Partial<SubchannelSetting>,
	address: string | string[] = "h:1",
) {
	const network = new FakeNetwork();
	network.maxStreams = maxStreams;
	const one = observedSubchannel(address, () => network.connect, setting);
	one.subchannel.connect();
	await one.reaches("ready");
	await one.clock.advance(10_000);
	const { subchannel, clock } = one;
	return {
		...one,
		network,
		/** A call, on the connection that there is for it: its number. */
		async call(): Promise<number> {
			if (subchannel.connection === undefined) await clock.advance(0);
			const { connection } = subchannel;
			const index = network.connections.indexOf(connection as FakeConnection);
			network.at(index).openCall();
			return index;
		},
	};
}

describe("an endpoint whose streams are at the peer's MAX_CONCURRENT_STREAMS", () => {
	test("gets one more connection, and the next call waits for it", async () => {
		const { subchannel, clock, network, heard, rooms, waitForRoom, call } =
			await withStreams(2);
		expect([await call(), await call()]).toEqual([0, 0]);
		expect(network.connections).toHaveLength(1);
		expect(subchannel.connection).toBeUndefined();
		waitForRoom();
		await clock.advance(0);
		expect(rooms()).toBe(1);
		expect(network.connections).toHaveLength(2);
		expect(subchannel.connection).toBe(network.at(1));
		expect(heard).toEqual(["connecting", "ready"]);
	});

	test("gets up to maxConnectionsPerEndpoint, then its calls wait for the first place that comes free on any", async () => {
		const { subchannel, network, rooms, waitForRoom, call } = await withStreams(
			1,
			{ maxConnectionsPerEndpoint: 3 },
		);
		expect([await call(), await call(), await call()]).toEqual([0, 1, 2]);
		for (let waiting = 0; waiting < 4; waiting++) {
			expect(subchannel.connection).toBeUndefined();
			waitForRoom();
		}
		for (const [index, connection] of [1, 1, 0, 2].entries()) {
			network.at(connection).last.finish();
			expect(rooms()).toBe(index + 1);
		}
		expect(network.connections.map(({ openCalls }) => openCalls)).toEqual([
			1, 1, 1,
		]);
	});

	test("gives as many places as there are, when more come free at once", async () => {
		const { subchannel, network, rooms, waitForRoom, call } = await withStreams(
			1,
			{ maxConnectionsPerEndpoint: 1 },
		);
		await call();
		for (let waiting = 0; waiting < 5; waiting++) {
			expect(subchannel.connection).toBeUndefined();
			waitForRoom();
		}
		network.at(0).maxStreams = 4;
		network.at(0).listener.room();
		expect(rooms()).toBe(3);
		network.at(0).last.finish();
		expect(rooms()).toBe(4);
	});

	test("that allows none gets one further connection at most", async () => {
		const { subchannel, clock, network, waitForRoom } = await withStreams(0);
		for (let waiting = 0; waiting < 5; waiting++) {
			expect(subchannel.connection).toBeUndefined();
			waitForRoom();
			await clock.advance(10_000);
		}
		expect(network.connections).toHaveLength(2);
		subchannel.shutdown();
		await clock.advance(0);
		expect(network.connections.map(({ isGone }) => isGone)).toEqual([
			true,
			true,
		]);
	});

	test("says how many connections it has, and calls on them", async () => {
		const { subchannel, call } = await withStreams(2);
		for (let i = 0; i < 3; i++) await call();
		expect(subchannel.snapshot()).toMatchObject({
			endpoint: { address: "h:1" },
			state: "ready",
			connections: [
				{ address: "h:1", openCalls: 2, hasRoom: false },
				{ address: "h:1", openCalls: 1, hasRoom: true },
			],
		});
	});

	test("gets no second one where one is the maximum", async () => {
		const { subchannel, network, call } = await withStreams(1, {
			maxConnectionsPerEndpoint: 1,
		});
		await call();
		expect(subchannel.connection).toBeUndefined();
		expect(network.connections).toHaveLength(1);
	});

	test("gives the next call the place of a stream that ends, while a further connection is made", async () => {
		const { subchannel, network, rooms, waitForRoom, call } =
			await withStreams(1);
		await call();
		network.mood = "hangs";
		expect(subchannel.connection).toBeUndefined();
		waitForRoom();
		network.at(0).last.finish();
		expect(rooms()).toBe(1);
		network.at(0).last.finish();
		expect(rooms()).toBe(1);
		expect(subchannel.connection).toBe(network.at(0));
	});

	test("prefers the connections made first, so that the later ones fall empty", async () => {
		const { subchannel, network, call } = await withStreams(1);
		await call();
		await call();
		network.at(0).last.finish();
		expect(subchannel.connection).toBe(network.at(0));
	});
});

describe("a further connection", () => {
	test("goes to the address that the first one has", async () => {
		const network = new FakeNetwork();
		network.maxStreams = 1;
		const { subchannel, clock } = observedSubchannel(
			["a:1", "b:1"],
			() => (address, listener, signal) =>
				address.kind === "tcp" && address.host === "a" && !clockHasRun
					? Promise.reject(new Error("not yet"))
					: network.connect(address, listener, signal),
		);
		let clockHasRun = false;
		subchannel.connect();
		await clock.advance(10_000);
		clockHasRun = true;
		expect(network.asked).toEqual(["b:1"]);
		network.at(0).openCall();
		expect(subchannel.connection).toBeUndefined();
		await clock.advance(0);
		expect(network.asked).toEqual(["b:1", "b:1"]);
	});

	test("that fails does no harm to the first, and is tried again after a backoff", async () => {
		const { subchannel, clock, network, heard, rooms, waitForRoom, call } =
			await withStreams(1);
		await call();
		network.mood = "refuses";
		expect(subchannel.connection).toBeUndefined();
		waitForRoom();
		await clock.advance(999);
		expect(rooms()).toBe(0);
		expect(network.asked).toHaveLength(2);
		network.mood = "connects";
		await clock.advance(1);
		expect(network.asked).toHaveLength(3);
		expect(rooms()).toBe(1);
		expect(heard).toEqual(["connecting", "ready"]);
	});

	test("that is closed as soon as it is made waits for its backoff, too", async () => {
		const { subchannel, clock, network, call } = await withStreams(1);
		await call();
		expect(subchannel.connection).toBeUndefined();
		await clock.advance(0);
		network.at(1).destroy();
		await clock.advance(0);
		expect(subchannel.connection).toBeUndefined();
		await clock.advance(999);
		expect(network.asked).toHaveLength(2);
		await clock.advance(1);
		expect(subchannel.connection).toBe(network.at(2));
	});

	test("that no call has needed for a minute is closed, and a needed one is not", async () => {
		const { clock, network, call } = await withStreams(1);
		await call();
		await call();
		await clock.advance(300_000);
		expect(network.at(1).isGone).toBe(false);
		network.at(1).last.finish();
		await clock.advance(60_000);
		expect(network.at(1).isGone).toBe(true);
		expect(network.at(0).isGone).toBe(false);
		expect(clock.pending).toBe(0);
	});

	test("is kept while calls come and go on it", async () => {
		const { clock, network, call } = await withStreams(1);
		await call();
		for (let i = 0; i < 10; i++) {
			expect(await call()).toBe(1);
			network.at(1).last.finish();
			await clock.advance(40_000);
		}
		expect(network.connections).toHaveLength(2);
	});
});

test("one of several connections that falls silent gets no new calls, and another is made beside it at once", async () => {
	const { subchannel, clock, network, heard, call } = await withStreams(2, {
		maxConnectionsPerEndpoint: 2,
		silenceMs: 1000,
	});
	expect([await call(), await call(), await call()]).toEqual([0, 0, 1]);
	await clock.advance(1000);
	network.at(0).pong();
	await clock.advance(1000);
	expect(network.connections).toHaveLength(3);
	expect(subchannel.connection).toBe(network.at(2));
	network.at(0).last.finish();
	expect(subchannel.connection).toBe(network.at(0));
	expect(network.at(1).openCalls).toBe(1);
	expect(heard).toEqual(["connecting", "ready"]);
});

describe("the loss of one of several connections", () => {
	test.each([0, 1])("number %d, keeps the endpoint ready", async (lost) => {
		const { subchannel, clock, network, heard, call } = await withStreams(1);
		await call();
		await call();
		await clock.advance(10_000);
		network.at(lost).goaway();
		expect(subchannel.state).toBe("ready");
		network.at(1 - lost).last.finish();
		expect(subchannel.connection).toBe(network.at(1 - lost));
		expect(heard).toEqual(["connecting", "ready"]);
	});

	test("and then of the other makes it idle", async () => {
		const { subchannel, clock, network, heard, call } = await withStreams(1);
		await call();
		await call();
		await clock.advance(10_000);
		network.at(0).goaway();
		network.at(1).destroy();
		await clock.advance(0);
		expect(subchannel.state).toBe("idle");
		expect(heard).toEqual(["connecting", "ready", "idle"]);
		network.at(0).last.finish();
		network.at(0).destroy();
		await clock.advance(0);
		expect(clock.pending).toBe(0);
	});
});

describe("shutdown", () => {
	test("lets the calls of all connections finish", async () => {
		const { subchannel, clock, network, call } = await withStreams(1);
		await call();
		await call();
		subchannel.shutdown();
		expect(network.connections.map(({ isClosing }) => isClosing)).toEqual([
			true,
			true,
		]);
		for (const connection of network.connections) {
			expect(connection.isGone).toBe(false);
			connection.last.finish();
			expect(connection.isGone).toBe(true);
		}
		await clock.advance(0);
		expect(clock.pending).toBe(0);
	});

	test("gives up a further connection that is under way", async () => {
		const { subchannel, clock, network, heard, call } = await withStreams(1);
		await call();
		network.mood = "hangs";
		expect(subchannel.connection).toBeUndefined();
		subchannel.shutdown();
		await clock.advance(0);
		expect(network.connections).toHaveLength(1);
		expect(heard).toEqual(["connecting", "ready", "shutdown"]);
		expect(clock.pending).toBe(0);
	});
});
