import { describe, expect, test } from "vitest";
import type { Endpoint } from "../discovery/resolver.ts";
import { byKey, endpointKey, sameKey, weightOf } from "./endpoint-key.ts";

describe("endpointKey", () => {
	test("is the same whatever weight and zone are", () => {
		expect(endpointKey({ address: "a:1", weight: 2, zone: "x" })).toBe(
			endpointKey({ address: "a:1" }),
		);
	});

	test("is the same in whatever order the attributes are", () => {
		expect(
			endpointKey({ address: "a:1", attributes: { x: "1", y: "2" } }),
		).toBe(endpointKey({ address: "a:1", attributes: { y: "2", x: "1" } }));
	});

	test("tells addresses, lists of them and attributes apart", () => {
		const all: Endpoint[] = [
			{ address: "a:1" },
			{ address: "b:1", attributes: {} },
			{ address: ["a:1", "b:1"] },
			{ address: ["b:1", "a:1"] },
			{ address: "a:1", attributes: { x: "1" } },
			{ address: "a:1", attributes: { x: "2" } },
			{ address: "a:1", attributes: { x: "1", y: "2" } },
			{ address: "a:1", attributes: { x: "1\n1 1 y=2" } },
			{ address: '["a:1"]' },
		];
		expect(new Set(all.map(endpointKey)).size).toBe(all.length);
		for (const one of all) {
			for (const other of structuredClone(all)) {
				const same = endpointKey(one) === endpointKey(other);
				expect(sameKey(one, other)).toBe(same);
			}
		}
	});
});

test("byKey keeps the order, and the first of those with the same key", () => {
	const first = { address: "a:1", weight: 1 };
	const other = { address: "b:1" };
	const map = byKey([first, other, { address: "a:1", weight: 5 }]);
	expect([...map.values()]).toEqual([first, other]);
});

test.each([
	[undefined, 1],
	[2.5, 2.5],
	[0, 1],
	[-1, 1],
	[Number.NaN, 1],
	[Infinity, 1],
])("weight %s counts as %d", (weight, counts) => {
	expect(weightOf({ address: "a:1", weight })).toBe(counts);
});
