import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { firstThatAnswers } from "./first-that-answers.ts";

/** A network in which addresses answer after a number of milliseconds, do not answer, or refuse. */
function network(answers: Record<string, number | "silent" | "refuses">) {
	const clock = new FakeClock();
	const tried: string[] = [];
	const signals: AbortSignal[] = [];
	const probe = async (address: string, signal: AbortSignal): Promise<void> => {
		tried.push(address);
		signals.push(signal);
		const answer = answers[address];
		if (answer === "refuses") {
			throw new Error(`${address} refuses`);
		}
		if (answer === "silent" || answer === undefined) {
			await new Promise((_, reject) =>
				signal.addEventListener("abort", () => reject(signal.reason)),
			);
		} else {
			await new Promise<void>((resolve) => clock.after(answer, resolve));
		}
	};
	const choose = (
		groups: string[][],
		headStartMs: number,
		signal: AbortSignal = new AbortController().signal,
	) => firstThatAnswers(groups, headStartMs, signal, { probe, clock });
	return { clock, tried, signals, choose };
}

test("the preferred group wins if it answers, and the other group is not tried", async () => {
	const { clock, tried, choose } = network({ a: 100, b: 0 });
	const choice = choose([["a"], ["b"]], 250);
	await clock.advance(1000);
	expect(await choice).toBe(0);
	expect(tried).toEqual(["a"]);
});

test("a group that does not answer within its head start loses to the next group", async () => {
	const { clock, choose, signals } = network({ a: "silent", b: 10 });
	const choice = choose([["a"], ["b"]], 2000);
	await clock.advance(2005);
	expect(signals[0]?.aborted).toBe(false);
	await clock.advance(10);
	expect(await choice).toBe(1);
	expect(signals.every(({ aborted }) => aborted)).toBe(true);
	expect(clock.pending).toBe(0);
});

test("a group is reachable if one of its addresses answers", async () => {
	const { clock, choose } = network({ a1: "refuses", a2: "silent", a3: 10 });
	const choice = choose([["a1", "a2", "a3"], ["b"]], 2000);
	await clock.advance(1000);
	expect(await choice).toBe(0);
});

test("a group whose addresses all refuse is skipped at once", async () => {
	const { clock, tried, choose } = network({
		a1: "refuses",
		a2: "refuses",
		b: 10,
	});
	const choice = choose([["a1", "a2"], ["b"]], 60_000);
	await clock.advance(10);
	expect(await choice).toBe(1);
	expect(tried).toEqual(["a1", "a2", "b"]);
});

test("no group is chosen if no address answers", async () => {
	const { clock, choose } = network({ a: "refuses", b: "refuses" });
	expect(await choose([["a"], ["b"]], 250)).toBeUndefined();
	expect(clock.pending).toBe(0);
});

test("once a group has won, the other groups try no more addresses", async () => {
	const { clock, tried, choose } = network({ a1: "silent", a2: 0 });
	const abort = new AbortController();
	const choice = choose([["a1", "a2"]], 250, abort.signal);
	abort.abort();
	expect(await choice).toBeUndefined();
	await clock.advance(1000);
	expect(tried).toEqual(["a1"]);
	expect(clock.pending).toBe(0);
});
