import { describe, expect, test } from "vitest";
import { between, seeded } from "../../testdata/harness/seeded.ts";
import { formatTimeout, parseTimeout } from "./grpc-timeout.ts";

describe("formatTimeout", () => {
	test.each([
		[0.000001, "1n"],
		[1, "1000000n"],
		[99.999999, "99999999n"],
		[100, "100000u"],
		[2000, "2000000u"],
		[99_999.999, "99999999u"],
		[100_000, "100000m"],
		[99_999_999, "99999999m"],
		[100_000_000, "100000S"],
		[99_999_999_999, "99999999S"],
		[100_000_000_000, "1666666M"],
		[5_999_999_940_000, "99999999M"],
		[6_000_000_000_000, "1666666H"],
	])("%d ms are %s, in the finest unit that has room", (ms, text) => {
		expect(formatTimeout(ms)).toBe(text);
	});

	test("a timeout too long for every unit becomes the longest that can be written", () => {
		expect(formatTimeout(Number.MAX_SAFE_INTEGER)).toBe("99999999H");
		expect(formatTimeout(Infinity)).toBe("99999999H");
	});

	test("is at least a nanosecond, as 0 is not a valid timeout", () => {
		expect(formatTimeout(0)).toBe("1n");
		expect(formatTimeout(0.0000001)).toBe("1n");
		expect(formatTimeout(-5)).toBe("1n");
	});

	test("is never longer than the time left, and at most a ten-thousandth shorter", () => {
		const random = seeded(1);
		for (let i = 0; i < 20_000; i++) {
			const ms = 10 ** (random() * 17 - 5);
			const text = formatTimeout(ms);
			expect(text).toMatch(/^\d{1,8}[HMSmun]$/);
			const said = parseTimeout(text) as number;
			if (said > ms * (1 + Number.EPSILON) || said < ms * 0.9999 - 1e-6) {
				expect.fail(`${ms} ms became ${text}`);
			}
		}
	});
});

describe("parseTimeout", () => {
	test.each([
		["1n", 0.000001],
		["1u", 0.001],
		["1m", 1],
		["1S", 1000],
		["1M", 60_000],
		["1H", 3_600_000],
		["0S", 0],
		["00000005m", 5],
		["99999999H", 359_999_996_400_000],
	])("%s is %d ms", (text, ms) => {
		expect(parseTimeout(text)).toBeCloseTo(ms, 9);
	});

	test.each([
		"",
		"1",
		"m",
		"1s",
		"1h",
		"-1m",
		"+1m",
		"1.5S",
		" 1m",
		"1m ",
		"1mm",
		"123456789m",
		"1m\n",
		"１m",
		"0x1m",
	])("%j is malformed", (text) => {
		expect(parseTimeout(text)).toBeUndefined();
	});

	test("reads back what formatTimeout writes", () => {
		const random = seeded(2);
		for (let i = 0; i < 1000; i++) {
			const value = between(random, 1, 99_999_999);
			for (const unit of "HMSmun") {
				const ms = parseTimeout(`${value}${unit}`) as number;
				const again = parseTimeout(formatTimeout(ms)) as number;
				expect(Math.abs(again - ms) / ms).toBeLessThan(1e-4);
			}
		}
	});
});
