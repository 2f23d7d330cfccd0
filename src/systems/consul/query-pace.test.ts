import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { QueryPace } from "./query-pace.ts";

/** Asks for so long, each answer coming `heldMs` after its question, and tells when each question went. */
async function questions(
	forMs: number,
	heldMs: number,
	changed: boolean,
): Promise<number[]> {
	const clock = new FakeClock();
	const pace = new QueryPace(clock);
	const at: number[] = [];
	while (clock.now() < forMs) {
		pace.asked();
		at.push(Math.round(clock.now()));
		await clock.advance(heldMs);
		await clock.advance(pace.delay(changed));
	}
	return at;
}

test("answers that are held back cost no wait", async () => {
	expect(await questions(5000, 1000, true)).toEqual([
		0, 1000, 2000, 3000, 4000,
	]);
	const fiveMinutes = await questions(3_600_000, 300_000, false);
	expect(fiveMinutes).toHaveLength(12);
});

test("what changes all the time is asked for less and less often, down to once in 2 s", async () => {
	expect(await questions(8000, 0, true)).toEqual([
		0, 200, 600, 1400, 3000, 5000, 7000,
	]);
});

test("after a while of quiet, a change is asked for at once again", async () => {
	const clock = new FakeClock();
	const pace = new QueryPace(clock);
	for (let n = 0; n < 10; n++) {
		pace.asked();
		pace.delay(true);
	}
	pace.asked();
	expect(pace.delay(true)).toBe(2000);
	pace.asked();
	await clock.advance(2000);
	expect(pace.delay(true)).toBe(0);
	pace.asked();
	await clock.advance(150);
	expect(pace.delay(true)).toBe(0);
});

test("answers that come at once and say nothing new cost one question in 15 s", async () => {
	const at = await questions(120_000, 0, false);
	expect(at.slice(0, 10)).toEqual(Array(10).fill(0));
	expect(at.slice(10)).toEqual([
		0, 15_000, 30_000, 45_000, 60_000, 75_000, 90_000, 105_000,
	]);
});

test("the tokens come back in time, ten at most", async () => {
	const clock = new FakeClock();
	const pace = new QueryPace(clock);
	const free = (): number => {
		let count = 0;
		while (pace.delay(false) === 0) count += 1;
		return count;
	};
	expect(free()).toBe(10);
	await clock.advance(15_000 * 4);
	expect(free()).toBe(3);
	await clock.advance(3_600_000);
	expect(free()).toBe(10);
});
