import { describe, expect, test } from "vitest";
import { compileRetryPolicy } from "./retry-policy.ts";
import { parsePushback, RetrySchedule } from "./retry-schedule.ts";

const policy = compileRetryPolicy(
	{
		maxAttempts: 5,
		initialBackoff: "0.1s",
		maxBackoff: "1s",
		backoffMultiplier: 2,
		retryableStatusCodes: ["UNAVAILABLE"],
	},
	"retryPolicy",
);

/** Makes a schedule, by default without jitter. */
function schedule(
	changes: Partial<typeof policy> = {},
	random = 0.5,
): RetrySchedule {
	return new RetrySchedule({ ...policy, ...changes }, () => random);
}

/** Returns the next waits, rounded to microseconds. */
function waits(schedule: RetrySchedule, count: number): number[] {
	return Array.from(
		{ length: count },
		() => Math.round(schedule.next() * 1000) / 1000,
	);
}

describe("the backoff", () => {
	test("before retry n is initial * multiplier^(n-1), but at most max", () => {
		expect(waits(schedule(), 6)).toEqual([100, 200, 400, 800, 1000, 1000]);
	});

	test("has a jitter of up to 20 % in either direction", () => {
		expect(waits(schedule({}, 0), 2)).toEqual([80, 160]);
		const longest = schedule({}, 1 - 2 ** -53);
		expect(longest.next()).toBeCloseTo(120, 9);
		expect(longest.next()).toBeCloseTo(240, 9);
	});

	test("applies the jitter after max, so that clients at max do not retry at the same moment", () => {
		const shortest = schedule({}, 0);
		expect(waits(shortest, 8).at(-1)).toBe(800);
		const longest = schedule({}, 0.75);
		expect(waits(longest, 8).at(-1)).toBe(1100);
	});

	test("takes a new random number each time", () => {
		const chances = [0, 0.5, 0.75];
		const next = (): number => chances.shift() as number;
		const drawn = new RetrySchedule(policy, next);
		expect(waits(drawn, 3)).toEqual([80, 200, 440]);
	});

	test("is max from the start if the initial backoff is longer", () => {
		expect(waits(schedule({ initialBackoffMs: 5000 }), 2)).toEqual([
			1000, 1000,
		]);
	});

	test("shrinks under a multiplier below 1, and stays the same at 1", () => {
		expect(waits(schedule({ backoffMultiplier: 0.5 }), 3)).toEqual([
			100, 50, 25,
		]);
		expect(waits(schedule({ backoffMultiplier: 1 }), 3)).toEqual([
			100, 100, 100,
		]);
	});

	test("stays finite after very many retries", () => {
		const many = schedule({ backoffMultiplier: 1e300 });
		expect(waits(many, 20).at(-1)).toBe(1000);
	});
});

describe("pushback", () => {
	test("is the exact wait, without max and jitter", () => {
		expect(schedule({}, 0).next(7777)).toBe(7777);
		expect(schedule({}, 0).next(0)).toBe(0);
	});

	test("makes the backoff start again at the initial one", () => {
		const pushed = schedule();
		waits(pushed, 3);
		expect(pushed.next(30)).toBe(30);
		expect(waits(pushed, 2)).toEqual([100, 200]);
		expect(pushed.next(0)).toBe(0);
		expect(waits(pushed, 2)).toEqual([100, 200]);
	});
});

describe("grpc-retry-pushback-ms", () => {
	test.each([
		["0", 0],
		["1", 1],
		["250", 250],
		["2147483647", 2147483647],
	])("%s is so many milliseconds", (value, ms) => {
		expect(parsePushback([value])).toBe(ms);
	});

	test("that is absent gives undefined", () => {
		expect(parsePushback([])).toBeUndefined();
	});

	test.each(["-1", "-0", "-2147483648"])(
		"of %s is negative and means never",
		(value) => {
			expect(parsePushback([value])).toBe("never");
		},
	);

	test.each([
		"",
		" ",
		"soon",
		"1.5",
		"1e3",
		"0x10",
		"+5",
		"007",
		"1 2",
		"2147483648",
		"99999999999",
		"٣",
		"1\n",
	])("%j is unparseable: never", (value) => {
		expect(parsePushback([value])).toBe("never");
	});

	test("that is repeated means never, whether the values are separate or joined", () => {
		expect(parsePushback(["10", "10"])).toBe("never");
		expect(parsePushback(["10,10"])).toBe("never");
		expect(parsePushback(["10, 20"])).toBe("never");
	});
});
