import { describe, expect, test } from "vitest";
import { endpoints } from "../../testdata/harness/fake-balancer-helper.ts";
import { between, seeded } from "../../testdata/harness/seeded.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import { endpointKey } from "./endpoint-key.ts";
import { Roster } from "./roster.ts";

interface Entry {
	last: Endpoint;
	gone: boolean;
}

function roster(): Roster<Entry> {
	return new Roster<Entry>({
		join: (last) => ({ last, gone: false }),
		stay: (entry, endpoint) => {
			entry.last = endpoint;
		},
		leave: (entry) => {
			entry.gone = true;
		},
	});
}

function addresses(entries: readonly Entry[]): unknown[] {
	return entries.map(({ last }) => last.address);
}

test("keeps an entry for each endpoint, in the resolver's order", () => {
	const kept = roster();
	kept.update(endpoints("a:1", "b:1"));
	const [a, b] = kept.entries;
	kept.update(endpoints("c:1", "b:1", "a:1"));
	expect(addresses(kept.entries)).toEqual(["c:1", "b:1", "a:1"]);
	expect(kept.entries.slice(1)).toEqual([b, a]);
	expect(kept.get("b:1")).toBe(b);
	kept.update(endpoints("b:1"));
	expect(a?.gone).toBe(true);
	expect(b?.gone).toBe(false);
	expect(kept.get("a:1")).toBeUndefined();
	kept.update([]);
	expect(kept.entries).toEqual([]);
	expect(b?.gone).toBe(true);
});

test("the list of entries stays the same until the next update", () => {
	const kept = roster();
	kept.update(endpoints("a:1"));
	const { entries } = kept;
	kept.update(endpoints("a:1", "b:1"));
	expect(addresses(entries)).toEqual(["a:1"]);
});

test("an endpoint that stays is told its new weight and zone", () => {
	const kept = roster();
	kept.update(endpoints("a:1"));
	const changed = { address: "a:1", weight: 5, zone: "z" };
	kept.update([changed]);
	expect(kept.entries[0]?.last).toBe(changed);
});

test("an endpoint with other attributes is another", () => {
	const kept = roster();
	kept.update([{ address: "a:1", attributes: { x: "1" } }]);
	const [before] = kept.entries;
	kept.update([{ address: "a:1", attributes: { x: "2" } }]);
	expect(before?.gone).toBe(true);
	expect(kept.entries[0]?.gone).toBe(false);
});

test("of those with the same key, the first counts", () => {
	const kept = roster();
	const first = { address: "a:1", weight: 2 };
	kept.update([first, { address: "b:1" }, { address: "a:1", weight: 3 }]);
	expect(addresses(kept.entries)).toEqual(["a:1", "b:1"]);
	kept.update([first, { address: "a:1", weight: 3 }, { address: "b:1" }]);
	expect(kept.entries[0]?.last).toBe(first);
});

test("a weight of 0 leaves an endpoint out, unless all have it", () => {
	const kept = roster();
	kept.update([{ address: "a:1", weight: 0 }, { address: "b:1" }]);
	expect(addresses(kept.entries)).toEqual(["b:1"]);
	kept.update([
		{ address: "a:1", weight: 0 },
		{ address: "b:1", weight: 0 },
	]);
	expect(addresses(kept.entries)).toEqual(["a:1", "b:1"]);
});

describe("through any changes", () => {
	test.each([1, 2, 3])("it is as if looked up by key (seed %d)", (seed) => {
		const random = seeded(seed);
		const kept = roster();
		let plain = new Map<string, Entry>();
		let list: Endpoint[] = [];
		for (let turn = 0; turn < 300; turn++) {
			list = list.filter(() => random() < 0.9);
			for (let i = between(random, 0, 3); i > 0; i--) {
				const address = `h:${between(random, 1, 12)}`;
				const attributes = random() < 0.5 ? { x: "1" } : undefined;
				list.splice(between(random, 0, list.length), 0, {
					address,
					attributes,
				});
			}
			if (random() < 0.1) list = list.toReversed();
			// As from a resolver: equal, and not the same.
			list = structuredClone(list);
			kept.update(list);
			const expected = new Map<string, Entry>();
			for (const endpoint of list) {
				const key = endpointKey(endpoint);
				const entry = kept.get(key);
				if (entry === undefined) throw new Error(`${key} is not there`);
				const before = plain.get(key);
				if (before !== undefined) expect(entry).toBe(before);
				expected.set(key, entry);
			}
			expect(kept.entries).toEqual([...expected.values()]);
			for (const [key, entry] of plain) {
				expect(entry.gone).toBe(!expected.has(key));
			}
			plain = expected;
		}
	});
});
