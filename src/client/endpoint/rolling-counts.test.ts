import { expect, test } from "vitest";
import { between, seeded } from "../../../testdata/harness/seeded.ts";
import { RollingCounts } from "./rolling-counts.ts";

function read({ calls, failures }: RollingCounts): [number, number] {
	return [calls, failures];
}

test("counts calls, and those that failed", () => {
	const counts = new RollingCounts(10_000, 0);
	counts.add(true, 0);
	counts.add(false, 1);
	counts.add(false, 9999);
	expect(read(counts)).toEqual([3, 1]);
});

test("what is older than the window falls out, a tenth of the window at a time", () => {
	const counts = new RollingCounts(10_000, 0);
	counts.add(true, 999);
	counts.add(true, 1000);
	counts.add(false, 9999);
	expect(read(counts)).toEqual([3, 2]);
	counts.add(false, 10_000);
	expect(read(counts)).toEqual([3, 1]);
	counts.add(false, 11_000);
	expect(read(counts)).toEqual([3, 0]);
});

test("is empty after a pause, however long", () => {
	for (const pause of [10_000, 19_999, 1e12]) {
		const counts = new RollingCounts(10_000, 5000);
		for (let n = 0; n < 10; n += 1) counts.add(true, 5000 + n * 1000);
		counts.add(false, 14_999 + pause);
		expect(read(counts)).toEqual([1, 0]);
	}
});

test("counts the last ten tenths, whenever calls come", () => {
	const random = seeded(7);
	for (let round = 0; round < 50; round += 1) {
		const bucketMs = between(random, 1, 500);
		let now = between(random, 0, 100_000) / 7;
		const counts = new RollingCounts(bucketMs * 10, now);
		const ended: { bucket: number; failed: boolean }[] = [];
		for (let n = 0; n < 200; n += 1) {
			now += between(random, 0, 3) === 0 ? random() * bucketMs * 12 : random();
			const failed = random() < 0.5;
			counts.add(failed, now);
			ended.push({ bucket: Math.floor(now / bucketMs), failed });
			const newest = Math.floor(now / bucketMs);
			const seen = ended.filter(({ bucket }) => bucket > newest - 10);
			expect(read(counts)).toEqual([
				seen.length,
				seen.filter(({ failed }) => failed).length,
			]);
		}
	}
});
