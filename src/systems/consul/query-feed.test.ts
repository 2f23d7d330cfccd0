import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import type { ApiAnswer } from "../http-api.ts";
import { QueryFeed } from "./query-feed.ts";

/** An answer of the agent: a change, no change, an unreadable answer, an error, or no answer. */
type Step = "news" | "same" | "nonsense" | "error" | "silence";

/** A feed with given answers, of which the last repeats, and the times of its queries. */
function feedOf(...steps: readonly [Step, ...Step[]]) {
	const clock = new FakeClock();
	const left = [...steps];
	const askedAt: number[] = [];
	const reported: string[] = [];
	const signals: AbortSignal[] = [];
	const forgottenAt: number[] = [];
	const feed = new QueryFeed({
		clock,
		random: () => 0.5,
		query: {
			next: (signal) => {
				askedAt.push(Math.round(clock.now()));
				signals.push(signal);
				const step = (left.length > 1 ? left.shift() : left[0]) as Step;
				if (step === "silence") return new Promise(() => {});
				if (step === "error") return Promise.reject(new Error("no answer"));
				return Promise.resolve({ value: step } as ApiAnswer);
			},
			forget: () => forgottenAt.push(Math.round(clock.now())),
		},
		answered: ({ value }) => {
			if (value === "nonsense") throw new Error("no sense");
			return value === "news";
		},
		report: ({ message }) => reported.push(message),
	});
	return { feed, clock, askedAt, reported, signals, forgottenAt };
}

describe("a feed", () => {
	test("queries again as soon as it has an answer", async () => {
		const { feed, clock, askedAt } = feedOf("news", "same", "silence");
		await feed.start();
		await clock.advance(10_000);
		expect(askedAt).toEqual([0, 100, 200]);
	});

	test("that gets no first answer fails and ends", async () => {
		const { feed, clock, askedAt, reported } = feedOf("error");
		await expect(feed.start()).rejects.toThrow("no answer");
		await clock.advance(60_000);
		expect(askedAt).toEqual([0]);
		expect(reported).toEqual([]);
		expect(clock.pending).toBe(0);
	});

	test("that is started by startAnyway goes on without a first answer", async () => {
		const { feed, clock, askedAt, reported } = feedOf(
			"error",
			"news",
			"silence",
		);
		await feed.startAnyway();
		expect(reported).toEqual(["no answer"]);
		await clock.advance(1200);
		expect(askedAt).toEqual([0, 1000, 1100]);
	});

	test("reports each error and tries again with a growing backoff, up to 16 s", async () => {
		const { feed, clock, askedAt, reported } = feedOf("same", "error");
		await feed.start();
		await clock.advance(70_000);
		expect(askedAt).toEqual([
			0, 100, 1100, 2700, 5260, 9356, 15_910, 26_395, 42_395, 58_395,
		]);
		expect(reported).toHaveLength(9);
	});

	test("that cannot read an answer makes the next query not wait", async () => {
		const { feed, clock, askedAt, reported, forgottenAt } = feedOf(
			"same",
			"nonsense",
			"news",
			"silence",
		);
		await feed.start();
		await clock.advance(5000);
		expect(askedAt).toEqual([0, 100, 1100, 1200]);
		expect(forgottenAt).toEqual([100]);
		expect(reported).toEqual(["no sense"]);
	});

	test("starts with a short backoff again after an answer", async () => {
		const { feed, clock, askedAt } = feedOf(
			"same",
			"error",
			"error",
			"same",
			"error",
			"silence",
		);
		await feed.start();
		await clock.advance(10_000);
		expect(askedAt).toEqual([0, 100, 1100, 2700, 2800, 3800]);
	});

	test("queries sooner after hurry, but at least a second after an error", async () => {
		const { feed, clock, askedAt } = feedOf("same", "error");
		await feed.start();
		await clock.advance(9400);
		expect(askedAt.at(-1)).toBe(9356);
		feed.hurry();
		await clock.advance(1000);
		expect(askedAt.at(-1)).toBe(10_356);
		await clock.advance(5000);
		feed.hurry();
		await clock.advance(0);
		expect(askedAt.at(-1)).toBe(15_400);
	});

	test("that is stopped sends no queries, reports nothing and leaves no timer", async () => {
		const { feed, clock, askedAt, reported, signals } = feedOf("same", "error");
		await feed.start();
		await clock.advance(500);
		feed.stop();
		await clock.advance(60_000);
		expect(askedAt).toEqual([0, 100]);
		expect(reported).toHaveLength(1);
		expect(signals.every(({ aborted }) => aborted)).toBe(true);
		expect(clock.pending).toBe(0);
	});
});
