import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { FakeConnection } from "../../../testdata/harness/fake-connection.ts";
import { Probe } from "./probe.ts";

function probing() {
	const clock = new FakeClock();
	const connection = new FakeConnection("h:1", {
		accepted: () => {},
		room: () => {},
		goaway: () => {},
		closed: () => {},
	});
	const heard: string[] = [];
	const probe = new Probe(connection, clock, 1000, {
		answered: () => heard.push(`answered at ${clock.now()}`),
		silent: () => heard.push(`silent at ${clock.now()}`),
	});
	return { probe, clock, connection, heard };
}

test("a peer that answers the PING is there", async () => {
	const { probe, clock, connection, heard } = probing();
	probe.ask();
	await clock.advance(999);
	connection.pong();
	await clock.advance(5000);
	expect(heard).toEqual(["answered at 999"]);
	expect(clock.pending).toBe(0);
});

test("a peer that says anything at all is there, though its answer is yet to come", async () => {
	const { probe, clock, connection, heard } = probing();
	probe.ask();
	await clock.advance(500);
	connection.heard += 1;
	await clock.advance(500);
	connection.pong();
	expect(heard).toEqual(["answered at 1000"]);
});

test("a peer that says nothing in time is silent", async () => {
	const { probe, clock, connection, heard } = probing();
	probe.ask();
	await clock.advance(999);
	expect(heard).toEqual([]);
	await clock.advance(1);
	connection.pong();
	expect(heard).toEqual(["silent at 1000"]);
});

test("an answer that waits to be read when time is up still counts: the process was held up, not the peer", async () => {
	const { probe, clock, connection, heard } = probing();
	probe.ask();
	// What a late timer finds due before anything is read.
	clock.after(1000, () => connection.pong());
	await clock.advance(1000);
	expect(heard).toEqual(["answered at 1000"]);
});

test("one question is under way at a time, and the next follows its answer", async () => {
	const { probe, clock, connection, heard } = probing();
	probe.ask();
	probe.ask();
	expect(connection.pings).toHaveLength(1);
	const [late] = connection.pings;
	connection.heard += 1;
	await clock.advance(1000);
	probe.ask();
	expect(connection.pings).toHaveLength(2);
	late?.();
	expect(heard).toEqual(["answered at 1000"]);
	await clock.advance(1000);
	expect(heard[1]).toBe("silent at 2000");
});

test("once stopped, nothing follows", async () => {
	const { probe, clock, connection, heard } = probing();
	probe.ask();
	probe.stop();
	connection.pong();
	await clock.advance(5000);
	expect(heard).toEqual([]);
	expect(clock.pending).toBe(0);
});

test("a question that cannot be sent says nothing about the peer", async () => {
	const { probe, clock, connection, heard } = probing();
	connection.sendsNoPings = true;
	expect(probe.ask()).toBe(false);
	expect(probe.isWaiting).toBe(false);
	await clock.advance(60_000);
	expect(heard).toEqual([]);
	expect(clock.pending).toBe(0);
	connection.sendsNoPings = false;
	expect(probe.ask()).toBe(true);
	await clock.advance(1000);
	expect(heard).toEqual(["silent at 61000"]);
});
