import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { OutlierDetector, type Tracked } from "./outlier-detection.ts";
import {
	compileOutlierDetection,
	type OutlierDetectionOptions,
} from "./outlier-detection-options.ts";

/** A detector, its clock, and endpoints that remember whether they are out. */
class Group {
	readonly clock = new FakeClock();
	readonly detector: OutlierDetector;
	/** What happened, in words: "2 out", "2 in". */
	readonly log: string[] = [];
	readonly reasons: string[] = [];
	readonly out = new Set<number>();
	readonly #tracked: Tracked[] = [];

	constructor(
		size: number,
		options: OutlierDetectionOptions = {},
		random: () => number = () => 0,
	) {
		const config = compileOutlierDetection(options, "outlierDetection");
		if (config === undefined) throw new Error("switched off");
		this.detector = new OutlierDetector(config, this.clock, random);
		for (let n = 0; n < size; n += 1) this.add();
	}

	add(): number {
		const index = this.#tracked.length;
		this.#tracked.push(
			this.detector.add({
				eject: (reason) => {
					this.out.add(index);
					this.log.push(`${index} out`);
					this.reasons.push(reason.message);
				},
				uneject: (reason) => {
					this.out.delete(index);
					this.log.push(`${index} in`);
					this.reasons.push(reason);
				},
			}),
		);
		return index;
	}

	remove(index: number): void {
		this.#at(index).remove();
		this.out.delete(index);
	}

	end(index: number, count: number, code?: Code): void {
		for (let n = 0; n < count; n += 1) this.#at(index).ended(code);
	}

	/** An interval in which each endpoint ended 100 calls, of which so many failed; never 5 in a row unless all did. */
	async interval(...failures: number[]): Promise<void> {
		for (const [index, count] of failures.entries()) {
			this.end(index, count, Code.Unavailable);
			this.end(index, 100 - count);
		}
		await this.clock.advance(10_000);
	}

	#at(index: number): Tracked {
		return this.#tracked[index] as Tracked;
	}
}

/** Without the consecutive failures, whose turn would come first. */
const byRate: OutlierDetectionOptions = { consecutiveFailures: false };
const bySuccessRate: OutlierDetectionOptions = {
	...byRate,
	failurePercentageEjection: false,
};
const byPercentage: OutlierDetectionOptions = {
	...byRate,
	successRateEjection: false,
};
const byRow: OutlierDetectionOptions = {
	successRateEjection: false,
	failurePercentageEjection: false,
};

describe("consecutive failures", () => {
	test("5 in a row eject at once", () => {
		const group = new Group(2);
		group.end(1, 4, Code.Unavailable);
		expect(group.log).toEqual([]);
		group.end(1, 1, Code.Unavailable);
		expect(group.log).toEqual(["1 out"]);
	});

	test("the reason says for how long and what happened", () => {
		const group = new Group(2);
		group.end(0, 5, Code.DeadlineExceeded);
		expect(group.reasons).toEqual([
			"ejected for 30 s: 5 calls in a row failed, the last with [deadline_exceeded]",
		]);
	});

	test.each([Code.Unavailable, Code.DeadlineExceeded, Code.Internal])(
		"code %d is a failure",
		(code) => {
			const group = new Group(2);
			group.end(0, 5, code);
			expect(group.out).toEqual(new Set([0]));
		},
	);

	test("failureStatusCodes says which are", () => {
		const group = new Group(4, { failureStatusCodes: ["UNKNOWN"] });
		group.end(0, 5, Code.Unavailable);
		group.end(1, 5, Code.Unknown);
		expect(group.out).toEqual(new Set([1]));
	});

	test.each([
		undefined,
		Code.Unknown,
		Code.InvalidArgument,
		Code.NotFound,
		Code.AlreadyExists,
		Code.PermissionDenied,
		Code.ResourceExhausted,
		Code.FailedPrecondition,
		Code.Aborted,
		Code.OutOfRange,
		Code.Unimplemented,
		Code.DataLoss,
		Code.Unauthenticated,
	])(
		"code %s is the answer of a server that works: the row is broken",
		(code) => {
			const group = new Group(2);
			group.end(0, 4, Code.Unavailable);
			group.end(0, 20, code);
			group.end(0, 4, Code.Unavailable);
			expect(group.log).toEqual([]);
			group.end(0, 1, Code.Unavailable);
			expect(group.log).toEqual(["0 out"]);
		},
	);

	test("a cancelled call neither adds to a row nor breaks it", () => {
		const group = new Group(2);
		group.end(0, 4, Code.Internal);
		group.end(0, 10, Code.Canceled);
		expect(group.log).toEqual([]);
		group.end(0, 1, Code.Internal);
		expect(group.log).toEqual(["0 out"]);
	});

	test("never eject more than half of the endpoints", () => {
		const group = new Group(5);
		for (const index of [0, 1, 2, 3, 4]) group.end(index, 50, Code.Unavailable);
		expect(group.log).toEqual(["0 out", "1 out"]);
	});

	test("eject the next one once there is room again", async () => {
		const group = new Group(2);
		group.end(0, 5, Code.Unavailable);
		group.end(1, 9, Code.Unavailable);
		await group.clock.advance(30_000);
		expect(group.log).toEqual(["0 out", "0 in"]);
		group.end(1, 1, Code.Unavailable);
		expect(group.log).toEqual(["0 out", "0 in", "1 out"]);
	});

	test("count anew after an ejection", async () => {
		const group = new Group(2);
		group.end(0, 5, Code.Unavailable);
		// Calls that were in flight.
		group.end(0, 4, Code.Unavailable);
		await group.clock.advance(30_000);
		expect(group.out.size).toBe(0);
		group.end(0, 4, Code.Unavailable);
		expect(group.out.size).toBe(0);
		group.end(0, 1, Code.Unavailable);
		expect(group.out.size).toBe(1);
	});

	test("may be another number, or none", () => {
		const two = new Group(2, { consecutiveFailures: 2 });
		two.end(0, 2, Code.Internal);
		expect(two.log).toEqual(["0 out"]);
		const none = new Group(2, { consecutiveFailures: false });
		none.end(0, 1000, Code.Internal);
		expect(none.log).toEqual([]);
	});
});

describe("the rates", () => {
	test("eject at the end of an interval one whose success rate stands out", async () => {
		const group = new Group(5, bySuccessRate);
		const interval = group.interval(0, 0, 0, 30, 0);
		expect(group.log).toEqual([]);
		await interval;
		expect(group.log).toEqual(["3 out"]);
		expect(group.reasons[0]).toBe(
			"ejected for 30 s: 30 of its last 100 calls failed, and the mean of 5 endpoints is 94 %",
		);
	});

	test("eject at the end of an interval one that fails too much", async () => {
		const group = new Group(5, byPercentage);
		await group.interval(0, 0, 85, 0, 86);
		expect(group.log).toEqual(["4 out"]);
	});

	test("look at the calls of one interval, not at those before", async () => {
		const group = new Group(5, bySuccessRate);
		group.end(3, 99, Code.Unavailable);
		await group.clock.advance(10_000);
		await group.interval(0, 0, 0, 0, 0);
		expect(group.log).toEqual([]);
	});

	test("count as failures the codes of a sick server only", async () => {
		const group = new Group(5, byRate);
		for (const index of [0, 1, 2, 3, 4]) group.end(index, 100);
		group.end(2, 1000, Code.NotFound);
		group.end(3, 1000, Code.Canceled);
		await group.clock.advance(10_000);
		expect(group.log).toEqual([]);
	});

	test("do nothing in small groups", async () => {
		const group = new Group(4, byRate);
		await group.interval(0, 0, 0, 100);
		expect(group.log).toEqual([]);
	});

	test("eject at most 10 % of the endpoints, but one at least: the worst", async () => {
		const few = new Group(5, byPercentage);
		await few.interval(90, 95, 100, 0, 0);
		expect(few.log).toEqual(["2 out"]);
		const more = new Group(29, byPercentage);
		await more.interval(...Array<number>(29).fill(90));
		expect(more.out.size).toBe(2);
	});

	test("eject up to maxEjectionPercent, those included that are out already", async () => {
		const group = new Group(6, {
			...byRate,
			maxEjectionPercent: 50,
			failurePercentageEjection: { minimumHosts: 3 },
		});
		await group.interval(0, 90, 0, 90, 0, 0);
		expect(group.out).toEqual(new Set([1, 3]));
		await group.interval(90, 0, 90, 0, 90, 0);
		expect(group.out.size).toBe(3);
	});

	test("eject none when maxEjectionPercent is 0, while consecutive failures do", async () => {
		const group = new Group(5, {
			maxEjectionPercent: 0,
			consecutiveFailures: 100,
		});
		await group.interval(99, 0, 0, 0, 0);
		expect(group.log).toEqual([]);
		group.end(0, 100, Code.Unavailable);
		expect(group.log).toEqual(["0 out"]);
	});

	test("leave out what is ejected: it is not ejected twice, and does not hide others", async () => {
		const group = new Group(6, { ...bySuccessRate, maxEjectionPercent: 50 });
		await group.interval(100, 0, 0, 0, 0, 0);
		await group.interval(100, 40, 0, 0, 0, 0);
		expect(group.log).toEqual(["0 out", "1 out"]);
		await group.clock.advance(20_000);
		expect(group.out).toEqual(new Set([1]));
	});

	test.each([
		[0.39, ["0 out"]],
		[0.4, []],
	])(
		"eject with a chance of enforcementPercentage: by %d",
		async (chance, log) => {
			const enforced = { enforcementPercentage: 40 };
			for (const options of [
				{ ...bySuccessRate, successRateEjection: enforced },
				{ ...byPercentage, failurePercentageEjection: enforced },
			]) {
				const group = new Group(5, options, () => chance);
				await group.interval(100, 0, 0, 0, 0);
				expect(group.log).toEqual(log);
			}
		},
	);

	test("have an interval that can be set", async () => {
		const group = new Group(5, { ...byPercentage, interval: "1s" });
		for (const index of [0, 1, 2, 3, 4]) group.end(index, 50, Code.Internal);
		await group.clock.advance(999);
		expect(group.log).toEqual([]);
		await group.clock.advance(1);
		expect(group.log).toEqual(["0 out"]);
	});
});

describe("an ejection", () => {
	/** Seconds that the endpoint 0 stays out when it fails now. */
	async function secondsOut(group: Group): Promise<number> {
		group.end(0, 5, Code.Unavailable);
		expect(group.out.has(0)).toBe(true);
		let seconds = 0;
		while (group.out.has(0)) {
			await group.clock.advance(1000);
			seconds += 1;
		}
		return seconds;
	}

	test("lasts 30 s", async () => {
		const group = new Group(2);
		expect(await secondsOut(group)).toBe(30);
		expect(group.reasons[1]).toBe("its ejection is over");
	});

	test("ends at the end of an interval", async () => {
		const group = new Group(5);
		// A call that counts begins the interval.
		group.end(1, 1);
		await group.clock.advance(4000);
		expect(await secondsOut(group)).toBe(36);
	});

	test("grows with each ejection", async () => {
		const group = new Group(2);
		expect(await secondsOut(group)).toBe(30);
		expect(await secondsOut(group)).toBe(60);
		expect(await secondsOut(group)).toBe(90);
	});

	test("is at most 300 s", async () => {
		const group = new Group(2);
		const seconds: number[] = [];
		for (let n = 0; n < 12; n += 1) seconds.push(await secondsOut(group));
		expect(seconds).toEqual([
			30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300,
		]);
	});

	test("is never shorter than the base, even where the maximum is", async () => {
		const group = new Group(2, {
			baseEjectionTime: 50_000,
			maxEjectionTime: 0,
		});
		expect(await secondsOut(group)).toBe(50);
		expect(await secondsOut(group)).toBe(50);
	});

	test("decays by one step for each interval without an ejection", async () => {
		const group = new Group(2);
		await secondsOut(group);
		await secondsOut(group);
		await secondsOut(group);
		await group.clock.advance(20_000);
		expect(await secondsOut(group)).toBe(60);
		await group.clock.advance(20_000);
		expect(await secondsOut(group)).toBe(30);
	});
});

describe("endpoints come and go", () => {
	test("with fewer than two nothing is ejected", async () => {
		const group = new Group(1, {
			failurePercentageEjection: { minimumHosts: 1 },
		});
		group.end(0, 1000, Code.Unavailable);
		await group.clock.advance(100_000);
		expect(group.log).toEqual([]);
	});

	test("the failures of a lone endpoint are no row when a second one comes", () => {
		const group = new Group(1);
		group.end(0, 100, Code.Unavailable);
		group.add();
		group.end(0, 4, Code.Unavailable);
		expect(group.log).toEqual([]);
		group.end(0, 1, Code.Unavailable);
		expect(group.log).toEqual(["0 out"]);
	});

	test("the row of one that was left alone is forgotten", () => {
		const group = new Group(2);
		group.end(0, 4, Code.Unavailable);
		group.remove(1);
		group.add();
		group.end(0, 4, Code.Unavailable);
		expect(group.log).toEqual([]);
	});

	test("a new one starts in, and makes room for ejections", () => {
		const group = new Group(3);
		group.end(0, 5, Code.Unavailable);
		group.end(1, 5, Code.Unavailable);
		expect(group.log).toEqual(["0 out"]);
		group.add();
		group.end(1, 1, Code.Unavailable);
		expect(group.log).toEqual(["0 out", "1 out"]);
	});

	test("one that goes while it is out leaves its room to another", () => {
		const group = new Group(4);
		group.end(0, 5, Code.Unavailable);
		group.end(1, 5, Code.Unavailable);
		group.add();
		group.remove(0);
		group.end(2, 5, Code.Unavailable);
		expect(group.log).toEqual(["0 out", "1 out", "2 out"]);
	});

	test("one that has gone is not called any more", async () => {
		const group = new Group(4);
		group.end(0, 5, Code.Unavailable);
		group.remove(0);
		group.remove(0);
		group.remove(1);
		group.end(1, 5, Code.Unavailable);
		await group.clock.advance(60_000);
		expect(group.log).toEqual(["0 out"]);
	});

	test("when too few are left, those that are out longest come back", () => {
		const group = new Group(6);
		for (const index of [4, 0, 2]) group.end(index, 5, Code.Unavailable);
		group.remove(1);
		expect(group.log.slice(3)).toEqual(["4 in"]);
		expect(group.reasons.at(-1)).toBe("too few other endpoints are left");
		group.remove(3);
		expect(group.log.slice(3)).toEqual(["4 in"]);
		group.remove(5);
		expect(group.log.slice(3)).toEqual(["4 in", "0 in"]);
	});

	test("a higher maxEjectionPercent keeps more of them out", async () => {
		const group = new Group(6, { ...byPercentage, maxEjectionPercent: 80 });
		await group.interval(90, 91, 92, 93, 0, 0);
		expect(group.out.size).toBe(4);
		group.remove(5);
		expect(group.out.size).toBe(4);
		group.remove(4);
		expect(group.log.slice(4)).toEqual(["3 in"]);
	});

	test("the last one left comes back, with a clean record and no timer", async () => {
		const group = new Group(2);
		group.end(0, 5, Code.Unavailable);
		await group.clock.advance(30_000);
		group.end(0, 5, Code.Unavailable);
		group.remove(1);
		expect(group.out.size).toBe(0);
		expect(group.clock.pending).toBe(0);
		group.add();
		group.end(0, 5, Code.Unavailable);
		expect(group.reasons.at(-1)).toMatch("ejected for 30 s");
	});

	test("one that goes while others are being ejected is left alone", async () => {
		const clock = new FakeClock();
		const config = compileOutlierDetection(
			{ ...byPercentage, maxEjectionPercent: 100 },
			"o",
		);
		if (config === undefined) throw new Error("switched off");
		const detector = new OutlierDetector(config, clock, () => 0);
		const out: number[] = [];
		const tracked = Array.from({ length: 6 }, (_, index) =>
			detector.add({
				eject: () => {
					out.push(index);
					if (index === 0) tracked[1]?.remove();
				},
				uneject: () => {},
			}),
		);
		for (const one of tracked) {
			for (let n = 0; n < 50; n += 1) one.ended(Code.Internal);
		}
		await clock.advance(10_000);
		expect(out).toEqual([0, 2, 3, 4, 5]);
	});
});

describe("the timer", () => {
	test("starts with the first call that counts, and stops when there is no more to do", async () => {
		const group = new Group(5);
		expect(group.clock.pending).toBe(0);
		group.end(0, 3);
		group.end(1, 3);
		expect(group.clock.pending).toBe(1);
		await group.clock.advance(10_000);
		expect(group.clock.pending).toBe(0);
		group.end(0, 1);
		expect(group.clock.pending).toBe(1);
	});

	test("does not start where the rates can say nothing", () => {
		const few = new Group(4);
		few.end(0, 100);
		expect(few.clock.pending).toBe(0);
		const off = new Group(10, byRow);
		off.end(0, 100);
		expect(off.clock.pending).toBe(0);
	});

	test("runs while an endpoint is out, and until its past is lived down", async () => {
		const group = new Group(2);
		group.end(0, 5, Code.Unavailable);
		await group.clock.advance(30_000);
		expect(group.out.size).toBe(0);
		expect(group.clock.pending).toBe(1);
		await group.clock.advance(10_000);
		expect(group.clock.pending).toBe(0);
	});

	test("is one that lets the process end", () => {
		const clock = new FakeClock();
		clock.after = () => {
			throw new Error("keeps the process alive");
		};
		const idle: number[] = [];
		clock.afterIdle = (ms) => idle.push(ms);
		const config = compileOutlierDetection({}, "o");
		if (config === undefined) throw new Error("switched off");
		const detector = new OutlierDetector(config, clock, () => 0);
		const [first] = Array.from({ length: 5 }, () =>
			detector.add({ eject: () => {}, uneject: () => {} }),
		);
		first?.ended(undefined);
		expect(idle).toEqual([10_000]);
	});

	test("ends with the detector", async () => {
		const group = new Group(5);
		group.end(0, 5, Code.Unavailable);
		group.detector.close();
		expect(group.clock.pending).toBe(0);
		group.end(1, 5, Code.Unavailable);
		await group.clock.advance(60_000);
		expect(group.log).toEqual(["0 out"]);
	});
});
