import { expect, test } from "vitest";
import {
	merged,
	peakLoad,
	percentile,
	Record,
	recovery,
	type Second,
	summary,
} from "./record.ts";

function second(good: number, of: number): Second {
	return {
		latencies: Array.from({ length: of }, () => 1),
		wentWell: of,
		good,
		requests: of,
		across: 0,
	};
}

test("a call belongs to the second in which it started, and a failed one counts with its timeout", () => {
	const record = new Record(1000, 100);
	record.ended(500, 550, true);
	record.ended(900, 1200, true);
	record.ended(1500, 1501, false);
	record.sent(500, false);
	record.sent(900, true);
	record.sent(1500, false);
	record.sent(1600, false);
	expect(record.seconds).toEqual([
		{ latencies: [50, 300], wentWell: 2, good: 1, requests: 2, across: 1 },
		{ latencies: [1000], wentWell: 0, good: 0, requests: 2, across: 0 },
	]);
	expect(summary(record.seconds)).toEqual({
		calls: 3,
		success: 2 / 3,
		p50: 300,
		p99: 1000,
		p999: 1000,
		load: 4 / 3,
		across: 1 / 4,
	});
	expect(peakLoad(record.seconds)).toBe(2);
});

test("percentiles use the nearest rank", () => {
	const values = Array.from({ length: 100 }, (_, i) => i + 1);
	expect(percentile(values, 0.5)).toBe(50);
	expect(percentile(values, 0.99)).toBe(99);
	expect(percentile(values, 0.999)).toBe(100);
	expect(percentile([7], 0.5)).toBe(7);
});

test("recovery is the end of the last second that was not sound", () => {
	expect(recovery([second(100, 100), second(99, 100)])).toBe(0);
	expect(recovery([second(98, 100), second(100, 100)])).toBe(1);
	expect(
		recovery([second(98, 100), second(100, 100), second(0, 100), second(9, 9)]),
	).toBe(3);
	expect(recovery([second(100, 100), second(0, 100)])).toBe(
		Number.POSITIVE_INFINITY,
	);
});

test("runs are merged second by second", () => {
	const both = merged([
		[second(1, 2), second(3, 3)],
		[second(4, 5), second(6, 6)],
	]);
	expect(both.map(({ good, latencies }) => [good, latencies.length])).toEqual([
		[5, 7],
		[9, 9],
	]);
});
