import { expect, test } from "vitest";
import { FakeClock, settled } from "../../testdata/harness/fake-clock.ts";
import { Pause } from "./pause.ts";

/** A running wait, and whether it has ended. */
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

test("a wait takes its time", async () => {
	const { clock, state } = await waiting(100);
	await clock.advance(99);
	expect(state.over).toBe(false);
	await clock.advance(1);
	expect(state.over).toBe(true);
});

test("a wait of 0 ms is over at once", async () => {
	const { clock, state } = await waiting(0);
	expect(state.over).toBe(true);
	expect(clock.pending).toBe(0);
});

test("hurry shortens a wait, but not below its minimum", async () => {
	const { clock, pause, state } = await waiting(1000, 100);
	await clock.advance(40);
	pause.hurry();
	await clock.advance(59);
	expect(state.over).toBe(false);
	await clock.advance(1);
	expect(state.over).toBe(true);
	expect(clock.pending).toBe(0);
});

test("hurry does not shorten a wait without a minimum", async () => {
	const { clock, pause, state } = await waiting(1000);
	pause.hurry();
	await clock.advance(999);
	expect(state.over).toBe(false);
});

test("end ends a wait at once, and leaves no timer", async () => {
	const { clock, pause, state } = await waiting(1000, 100);
	pause.end();
	await settled();
	expect(state.over).toBe(true);
	expect(clock.pending).toBe(0);
});
