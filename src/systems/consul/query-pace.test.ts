import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { QueryPace } from "./query-pace.ts";

/** Queries for a given time, with each answer `heldMs` after its query. Returns the times of the queries. */
async function questions(
	forMs: number,
	heldMs: number,
	changed: boolean,
	readingMs = 0,
): Promise<number[]> {
	const clock = new FakeClock();
	const pace = new QueryPace(clock);
	const at: number[] = [];
	while (clock.now() < forMs) {
		pace.queried();
		at.push(Math.round(clock.now()));
		await clock.advance(heldMs);
		pace.answered();
		await clock.advance(readingMs);
		await clock.advance(pace.delay(changed));
	}
	return at;
}

test("after an answer that was held back there is no wait", async () => {
	expect(await questions(5000, 1000, true)).toEqual([
		0, 1000, 2000, 3000, 4000,
	]);
	const fiveMinutes = await questions(3_600_000, 300_000, false);
	expect(fiveMinutes).toHaveLength(12);
});

test("answers that come at once are queried 100 ms apart", async () => {
	expect(await questions(500, 0, true)).toEqual([0, 100, 200, 300, 400]);
	expect(await questions(500, 30, true)).toEqual([0, 100, 200, 300, 400]);
	expect(await questions(500, 120, true)).toEqual([0, 120, 240, 360, 480]);
});

test("answers that take long to read are queried less often, so that reading takes a twentieth of the time", async () => {
	expect(await questions(3500, 0, true, 50)).toEqual([0, 1000, 2000, 3000]);
	expect(await questions(9000, 0, true, 500)).toEqual([
		0, 2000, 4000, 6000, 8000,
	]);
	expect(await questions(9000, 3000, true, 500)).toEqual([0, 3500, 7000]);
});

test("a service that changes all the time is queried twice a second after a while", async () => {
	const at = await questions(60_000, 0, true);
	const inSecond = (n: number): number =>
		at.filter((ms) => Math.floor(ms / 1000) === n).length;
	expect([0, 1, 2, 3].map(inSecond)).toEqual([10, 10, 6, 2]);
	expect([10, 30, 59].map(inSecond)).toEqual([2, 2, 2]);
});

test("answers that come at once without a change are queried once in 15 s", async () => {
	const at = await questions(120_000, 0, false);
	expect(at.slice(0, 11)).toEqual(
		Array.from({ length: 11 }, (_, n) => n * 100),
	);
	expect(at.slice(11)).toEqual([
		15_000, 30_000, 45_000, 60_000, 75_000, 90_000, 105_000,
	]);
});
