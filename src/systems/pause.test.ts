import { expect, test } from "vitest";
import { FakeClock, settled } from "../../testdata/harness/fake-clock.ts";
import { Pause } from "./pause.ts";

/** A wait that is under way, and whether it is over. */
async function waiting(ms: number, minMs?: number) {
	const clock = new FakeClock();
	const pause = new Pause(clock);
	const state = { over: false };
	void pause.wait(ms, minMs).then(() => {
		state.over = true;
	});
	await settled();
	return { clock, pause, state };
}

test("takes its time", async () => {
	const { clock, state } = await waiting(100);
	await clock.advance(99);
	expect(state.over).toBe(false);
	await clock.advance(1);
	expect(state.over).toBe(true);
});

test("is over at once when there is nothing to wait for", async () => {
	const { clock, state } = await waiting(0);
	expect(state.over).toBe(true);
	expect(clock.pending).toBe(0);
});

test("hurries, but not more than it may", async () => {
	const { clock, pause, state } = await waiting(1000, 100);
	await clock.advance(40);
	pause.hurry();
	await clock.advance(59);
	expect(state.over).toBe(false);
	await clock.advance(1);
	expect(state.over).toBe(true);
	expect(clock.pending).toBe(0);
});

test("does not hurry unless it may", async () => {
	const { clock, pause, state } = await waiting(1000);
	pause.hurry();
	await clock.advance(999);
	expect(state.over).toBe(false);
});

test("ends when told to, and leaves no timer", async () => {
	const { clock, pause, state } = await waiting(1000, 100);
	pause.end();
	await settled();
	expect(state.over).toBe(true);
	expect(clock.pending).toBe(0);
});
