import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { FakeClock, settled } from "../../../testdata/harness/fake-clock.ts";
import { staggered } from "./staggered.ts";

/** Attempts whose results a test sets, and the times at which they started. */
function attempts(count: number) {
	const clock = new FakeClock();
	const started: number[] = [];
	const outcomes = Array.from({ length: count }, () =>
		Promise.withResolvers<string>(),
	);
	const starts = outcomes.map(({ promise }) => () => {
		started.push(clock.now());
		return promise;
	});
	const abort = new AbortController();
	const result = staggered(starts, 250, abort.signal, clock);
	result.catch(() => {});
	return { clock, started, outcomes, abort, result };
}

test("the attempts start one after another, until one succeeds", async () => {
	const { clock, started, outcomes, result } = attempts(4);
	await clock.advance(600);
	expect(started).toEqual([0, 250, 500]);
	outcomes[1]?.resolve("second");
	expect(await result).toBe("second");
	await clock.advance(1000);
	expect(started).toHaveLength(3);
	expect(clock.pending).toBe(0);
});

test("a failure starts the next attempt at once, and the delay counts from there", async () => {
	const { clock, started, outcomes } = attempts(3);
	await clock.advance(100);
	outcomes[0]?.reject(new Error("refused"));
	await clock.advance(300);
	expect(started).toEqual([0, 100, 350]);
});

test("a failure does not end the whole while other attempts are running", async () => {
	const { clock, outcomes, result } = attempts(2);
	await clock.advance(250);
	outcomes[1]?.reject(new Error("refused"));
	await settled();
	outcomes[0]?.resolve("slow");
	expect(await result).toBe("slow");
});

test("when all attempts have failed, the error holds all their errors", async () => {
	const { clock, outcomes, result } = attempts(2);
	outcomes[0]?.reject(new Error("one"));
	outcomes[1]?.reject(new Error("two"));
	await expect(result).rejects.toMatchObject({
		errors: [new Error("one"), new Error("two")],
	});
	expect(clock.pending).toBe(0);
});

test("after the signal has fired, no more attempts start and no timer is left", async () => {
	const { clock, started, outcomes, abort, result } = attempts(3);
	abort.abort("enough");
	await expect(result).rejects.toBe("enough");
	outcomes[0]?.reject(new Error("late"));
	await clock.advance(1000);
	expect(started).toEqual([0]);
	expect(clock.pending).toBe(0);
});

test("no listener is left on the signal, whether the attempts succeed, fail or are aborted", async () => {
	const good = attempts(2);
	good.outcomes[0]?.resolve("first");
	await good.result;
	expect(getEventListeners(good.abort.signal, "abort")).toEqual([]);

	const bad = attempts(1);
	bad.outcomes[0]?.reject(new Error("refused"));
	await bad.result.catch(() => {});
	expect(getEventListeners(bad.abort.signal, "abort")).toEqual([]);
});

test("an empty list of attempts is a failure", async () => {
	await expect(attempts(0).result).rejects.toThrow("nothing to attempt");
});

test("no attempt starts if the signal has fired before", async () => {
	let started = false;
	const result = staggered(
		[
			async () => {
				started = true;
			},
		],
		250,
		AbortSignal.abort("enough"),
		new FakeClock(),
	);
	await expect(result).rejects.toBe("enough");
	expect(started).toBe(false);
});
