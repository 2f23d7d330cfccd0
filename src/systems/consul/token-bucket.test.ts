import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { TokenBucket } from "./token-bucket.ts";

test("a bucket gives the tokens that it holds at once, and then one at a time", () => {
	const bucket = new TokenBucket(new FakeClock(), 3, 100);
	const taken = Array.from({ length: 6 }, () => bucket.take());
	expect(taken).toEqual([0, 0, 0, 100, 200, 300]);
});

test("the tokens come back over time, up to the size of the bucket", async () => {
	const clock = new FakeClock();
	const bucket = new TokenBucket(clock, 3, 100);
	const free = (): number => {
		let count = 0;
		while (bucket.take() === 0) count += 1;
		return count;
	};
	expect(free()).toBe(3);
	// One of them was taken in advance.
	await clock.advance(300);
	expect(free()).toBe(2);
	await clock.advance(3_600_000);
	expect(free()).toBe(3);
});
