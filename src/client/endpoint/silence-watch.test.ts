import { describe, expect, test } from "vitest";
import { FakeNetwork } from "../../../testdata/harness/fake-connection.ts";
import { observedSubchannel } from "../../../testdata/harness/observed-subchannel.ts";

/** A connected subchannel with one call on it, of which nothing has been heard. */
async function waiting() {
	const network = new FakeNetwork();
	const one = observedSubchannel("h:1", () => network.connect, {
		silenceMs: 1000,
	});
	one.subchannel.connect();
	await one.reaches("ready");
	const connection = network.at(0);
	expect(one.subchannel.connection).toBe(connection);
	connection.openCall();
	return { ...one, network, connection };
}

const SILENT = "idle: h:1 does not answer: it is stopped, or cut off";

describe("a peer that has calls and says nothing", () => {
	test("is asked by PING after a second", async () => {
		const { clock, connection } = await waiting();
		await clock.advance(999);
		expect(connection.pings).toHaveLength(0);
		await clock.advance(1);
		expect(connection.pings).toHaveLength(1);
	});

	test("gets no new calls once it has not answered for another second, and keeps those that it has", async () => {
		const { clock, connection, heard, subchannel } = await waiting();
		await clock.advance(1999);
		expect(subchannel.state).toBe("ready");
		await clock.advance(1);
		expect(heard.at(-1)).toBe(SILENT);
		expect(subchannel.connection).toBeUndefined();
		expect(connection.isGone).toBe(false);
		expect(connection.openCalls).toBe(1);
	});

	test("gets calls again within a second of being heard again", async () => {
		const { clock, connection, heard, subchannel } = await waiting();
		await clock.advance(5000);
		connection.heard += 1;
		await clock.advance(1000);
		expect(heard.at(-1)).toBe("ready");
		expect(subchannel.connection).toBe(connection);
	});

	test("has another connection beside it as soon as that is asked for, and new calls go there", async () => {
		const { clock, connection, network, subchannel } = await waiting();
		await clock.advance(2000);
		subchannel.connect();
		await clock.advance(0);
		expect(subchannel.connection).toBe(network.at(1));
		expect(connection.openCalls).toBe(1);
		expect(subchannel.snapshot()).toMatchObject({
			connections: [{ hasRoom: true }, { openCalls: 1, isSilent: true }],
		});
	});

	test("finishes its calls and ends, when it is heard again after it was replaced", async () => {
		const { clock, connection, network, subchannel } = await waiting();
		await clock.advance(2000);
		subchannel.connect();
		await clock.advance(0);
		connection.heard += 1;
		await clock.advance(1000);
		expect(connection.isClosing).toBe(true);
		expect(connection.isGone).toBe(false);
		connection.last.finish();
		expect(connection.isGone).toBe(true);
		expect(subchannel.connection).toBe(network.at(1));
	});

	test.each(["hangs", "refuses"] as const)(
		"is taken back when it is heard again while an attempt to replace it %s",
		async (mood) => {
			const { clock, connection, network, heard, subchannel } = await waiting();
			await clock.advance(2000);
			network.mood = mood;
			subchannel.connect();
			await clock.advance(0);
			connection.heard += 1;
			await clock.advance(1000);
			expect(heard.at(-1)).toBe("ready");
			expect(subchannel.connection).toBe(connection);
			network.mood = "connects";
			await clock.advance(60_000);
			expect(network.connections).toHaveLength(1);
		},
	);

	test("is closed with its endpoint, once its calls are done", async () => {
		const { clock, connection, subchannel } = await waiting();
		await clock.advance(2000);
		subchannel.shutdown();
		expect(connection.isGone).toBe(false);
		connection.last.finish();
		expect(connection.isGone).toBe(true);
		await clock.advance(0);
		expect(clock.pending).toBe(0);
	});

	test("is given up after 20 s, and with it the calls that are left", async () => {
		const { clock, connection, heard } = await waiting();
		await clock.advance(2000 + 19_999);
		expect(connection.isGone).toBe(false);
		await clock.advance(1);
		expect(connection.isGone).toBe(true);
		expect(connection.lossOf?.message).toBe(
			"no answer to a PING in 21 s: the peer is stopped, or cut off",
		);
		expect(heard.at(-1)).toBe(SILENT);
	});

	test("is given up at once when a deadline passes meanwhile", async () => {
		const { clock, connection, subchannel } = await waiting();
		await clock.advance(2000);
		subchannel.doubt(connection);
		expect(connection.isGone).toBe(true);
	});
});

test("a peer that was silent, and has just said GOAWAY, is not given up when a deadline passes", async () => {
	const { clock, connection, subchannel } = await waiting();
	await clock.advance(5000);
	connection.heard += 1;
	connection.sendsNoPings = true;
	connection.goaway();
	subchannel.doubt(connection);
	await clock.advance(600_000);
	expect(connection.isGone).toBe(false);
	expect(connection.openCalls).toBe(1);
});

describe("a peer that is slow", () => {
	test("is asked twice at most until it responds: servers count PINGs, and a third is for a deadline that passes", async () => {
		const { clock, connection } = await waiting();
		let asked = 0;
		for (let second = 0; second < 600; second++) {
			await clock.advance(1000);
			while (connection.pings.length > 0) {
				asked += 1;
				connection.pong();
			}
		}
		expect(asked).toBe(2);
	});

	test("is asked again when it has responded, and falls silent after it", async () => {
		const { clock, connection } = await waiting();
		for (let i = 0; i < 3; i++) {
			await clock.advance(10_000);
			while (connection.pings.length > 0) connection.pong();
			await clock.advance(10_000);
			while (connection.pings.length > 0) connection.pong();
			expect(connection.pings).toHaveLength(0);
			connection.respond();
			await clock.advance(2000);
			expect(connection.pings).toHaveLength(1);
			connection.pong();
		}
	});

	test("costs nothing once it has been asked twice: no timer runs until it responds, or has another call", async () => {
		const { clock, connection, subchannel } = await waiting();
		for (let second = 0; second < 10; second++) {
			await clock.advance(1000);
			while (connection.pings.length > 0) connection.pong();
		}
		expect(clock.pending).toBe(0);
		connection.respond();
		expect(clock.pending).toBe(1);
		await clock.advance(1000);
		expect(connection.pings).toHaveLength(1);
		await clock.advance(1000);
		expect(subchannel.connection).toBeUndefined();
	});

	test("whose deadlines pass is asked a third time, and is then left for a new connection", async () => {
		const { clock, connection, heard, subchannel } = await waiting();
		for (let second = 0; second < 60; second++) {
			await clock.advance(1000);
			while (connection.pings.length > 0) connection.pong();
		}
		subchannel.doubt(connection);
		expect(connection.pings).toHaveLength(1);
		connection.pong();
		expect(subchannel.state).toBe("ready");
		subchannel.doubt(connection);
		expect(connection.pings).toHaveLength(0);
		expect(heard.at(-1)).toBe("idle");
		expect(connection.isGone).toBe(false);
		expect(connection.isClosing).toBe(true);
	});

	test("is not asked while it answers", async () => {
		const { clock, connection } = await waiting();
		for (let i = 0; i < 20; i++) {
			connection.heard += 1;
			await clock.advance(500);
		}
		expect(connection.pings).toHaveLength(0);
	});
});

test("a connection without calls is not watched", async () => {
	const { clock, connection } = await waiting();
	for (const stream of connection.streams) stream.finish();
	await clock.advance(1000);
	expect(clock.pending).toBe(0);
	expect(connection.pings).toHaveLength(0);
});

test("a peer that cannot be asked may be quiet for as long as it likes, and no timer runs meanwhile", async () => {
	const { clock, connection, heard } = await waiting();
	connection.sendsNoPings = true;
	await clock.advance(1000);
	expect(clock.pending).toBe(0);
	await clock.advance(600_000);
	expect(heard).toEqual(["connecting", "ready"]);
	expect(connection.isGone).toBe(false);
});
