import { expect, test } from "vitest";
import { TypicalLatency } from "./typical-latency.ts";

/** Endpoints with these latencies, of which none is known yet. */
function latencies(...ms: number[]) {
	const asked: number[] = [];
	const typical = new TypicalLatency((endpoint) => {
		asked.push(endpoint);
		return ms[endpoint] as number;
	});
	return { ms, typical, asked };
}

test("is unknown while none is known", () => {
	expect(latencies(1).typical.at(0)).toBeNaN();
});

test("is the median, whatever the extremes are", () => {
	const { typical } = latencies(5, 1, 1e9);
	for (const endpoint of [0, 1, 2]) typical.add(endpoint);
	expect(typical.at(0)).toBe(5);
	typical.add(0);
	expect(typical.at(0)).toBe(5);
});

test("follows those that come and go at once", () => {
	const { typical } = latencies(1, 2, 3);
	typical.add(0);
	expect(typical.at(0)).toBe(1);
	typical.add(1);
	typical.add(2);
	expect(typical.at(0)).toBe(2);
	typical.delete(0);
	typical.delete(0);
	typical.delete(1);
	expect(typical.at(0)).toBe(3);
	typical.delete(2);
	expect(typical.at(0)).toBeNaN();
});

test("follows the endpoints' own changes within 100 ms", () => {
	const { typical, ms } = latencies(1);
	typical.add(0);
	expect(typical.at(0)).toBe(1);
	ms[0] = 80;
	expect(typical.at(1)).toBe(1);
	expect(typical.at(101)).toBe(80);
});

test("of 10,000 looks at a few, spread over all", () => {
	const { typical, asked } = latencies(
		...Array.from({ length: 10_000 }, (_, i) => i + 1),
	);
	for (let endpoint = 0; endpoint < 10_000; endpoint++) typical.add(endpoint);
	const median = typical.at(0);
	expect(median).toBeGreaterThan(4000);
	expect(median).toBeLessThan(6000);
	expect(asked.length).toBeLessThan(20);
});
