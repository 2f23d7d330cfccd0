import { expect, test } from "vitest";
import { seeded } from "../../../testdata/harness/seeded.ts";
import { OpenCalls, type Placed } from "./open-calls.ts";

test("holds what was added and not deleted, whatever the order", () => {
	const random = seeded(11);
	const calls = new OpenCalls<Placed>();
	const expected = new Set<Placed>();
	for (let i = 0; i < 5000; i++) {
		const all = [...expected];
		const some = all[Math.floor(random() * all.length)];
		if (some !== undefined && random() < 0.5) {
			calls.delete(some);
			expected.delete(some);
		} else {
			const call = { place: -1 };
			calls.add(call);
			expected.add(call);
		}
		expect(calls.size).toBe(expected.size);
	}
	expect(new Set(calls)).toEqual(expected);
	for (const call of expected) expect([...calls][call.place]).toBe(call);
});

test("may lose calls while it is iterated over", () => {
	const calls = new OpenCalls<Placed>();
	for (let i = 0; i < 5; i++) calls.add({ place: -1 });
	let seen = 0;
	for (const call of calls) {
		calls.delete(call);
		seen++;
	}
	expect(seen).toBe(5);
	expect(calls.size).toBe(0);
});
