import { expect, test } from "vitest";
import { between, seeded } from "../../../testdata/harness/seeded.ts";
import { HashRing } from "./hash-ring.ts";

interface Point {
	hash: number;
	owner: number;
}

const NONE: ReadonlySet<number> = new Set();

/** The owners, from the first point that is not below `hash`, all round. */
function round(ring: HashRing, hash: number): number[] {
	const first = ring.find(hash);
	return Array.from({ length: ring.size }, (_, i) =>
		ring.ownerAt((first + i) % ring.size),
	);
}

test("a hash belongs to the first point that is not below it, round the end", () => {
	const ring = HashRing.empty.changed(NONE, [
		{ hash: 2 ** 32 - 1, owner: 3 },
		{ hash: 10, owner: 1 },
		{ hash: 20, owner: 2 },
	]);
	expect(round(ring, 0)).toEqual([1, 2, 3]);
	expect(round(ring, 10)).toEqual([1, 2, 3]);
	expect(round(ring, 11)).toEqual([2, 3, 1]);
	expect(round(ring, 21)).toEqual([3, 1, 2]);
	expect(round(ring, 2 ** 32 - 1)).toEqual([3, 1, 2]);
});

test("a change leaves the ring before as it was", () => {
	const before = HashRing.empty.changed(NONE, [{ hash: 1, owner: 1 }]);
	before.changed(new Set([1]), [{ hash: 2, owner: 2 }]);
	expect(round(before, 0)).toEqual([1]);
});

test("however it came about, it is the ring of the points that are in it", () => {
	const random = seeded(1);
	let ring = HashRing.empty;
	let points: Point[] = [];
	for (let turn = 0; turn < 200; turn++) {
		const gone = new Set(
			Array.from({ length: between(random, 0, 3) }, () =>
				between(random, 0, 20),
			),
		);
		const added = Array.from({ length: between(random, 0, 10) }, () => ({
			hash: Math.floor(random() * 2 ** 32),
			owner: between(random, 0, 20),
		}));
		ring = ring.changed(gone, added);
		points = [...points.filter(({ owner }) => !gone.has(owner)), ...added];
		const sorted = points.toSorted((a, b) => a.hash - b.hash);
		expect(round(ring, 0)).toEqual(sorted.map(({ owner }) => owner));
		const hash = Math.floor(random() * 2 ** 32);
		const nearest = sorted.find((point) => point.hash >= hash) ?? sorted[0];
		if (nearest !== undefined) {
			expect(ring.ownerAt(ring.find(hash))).toBe(nearest.owner);
		}
	}
});
