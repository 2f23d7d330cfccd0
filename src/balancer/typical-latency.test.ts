import { expect, test } from "vitest";
import { PeakEwma } from "./peak-ewma.ts";
import { TypicalLatency } from "./typical-latency.ts";

function known(ms: number): PeakEwma {
	const latency = new PeakEwma();
	latency.sample(ms, 0);
	return latency;
}

test("is unknown while none is known", () => {
	expect(new TypicalLatency().at(0)).toBeNaN();
});

test("is the median, whatever the extremes are", () => {
	const typical = new TypicalLatency();
	const all = [5, 1, 1e9].map(known);
	for (const latency of all) typical.add(latency);
	expect(typical.at(0)).toBe(5);
	typical.add(all[0] as PeakEwma);
	expect(typical.at(0)).toBe(5);
});

test("follows those that come and go at once", () => {
	const typical = new TypicalLatency();
	const [a, b, c] = [known(1), known(2), known(3)];
	typical.add(a);
	expect(typical.at(0)).toBe(1);
	typical.add(b);
	typical.add(c);
	expect(typical.at(0)).toBe(2);
	typical.delete(a);
	typical.delete(a);
	typical.delete(b);
	expect(typical.at(0)).toBe(3);
	typical.delete(c);
	expect(typical.at(0)).toBeNaN();
});

test("follows the endpoints' own changes within 100 ms", () => {
	const typical = new TypicalLatency();
	const latency = known(1);
	typical.add(latency);
	expect(typical.at(0)).toBe(1);
	latency.sample(80, 1);
	expect(typical.at(101)).toBeGreaterThan(70);
});

test("of 10,000 looks at a few, spread over all", () => {
	const typical = new TypicalLatency();
	let asked = 0;
	for (let i = 0; i < 10_000; i++) {
		const latency = known(i + 1);
		const { at } = latency;
		latency.at = (now) => {
			asked += 1;
			return at.call(latency, now);
		};
		typical.add(latency);
	}
	const median = typical.at(0);
	expect(median).toBeGreaterThan(4000);
	expect(median).toBeLessThan(6000);
	expect(asked).toBeLessThan(20);
});
