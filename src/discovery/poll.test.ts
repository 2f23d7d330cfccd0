import { expect, test, vi } from "vitest";
import { FakeClock } from "../../testdata/harness/fake-clock.ts";
import { Watching } from "../../testdata/harness/watching.ts";
import { poll, pollResolver } from "./poll.ts";
import type { Endpoint } from "./resolver.ts";

test("it calls the function at its pace and yields the changes", async () => {
	const clock = new FakeClock();
	const lists: (string | Endpoint)[][] = [
		["a:1"],
		["a:1"],
		[{ address: "a:1", weight: 2 }, "b:1"],
	];
	const resolver = pollResolver(async () => lists.shift() ?? [], {
		everyMs: 5000,
		clock,
	});
	await using watching = new Watching(resolver);
	await clock.advance(9999);
	expect(watching.seen).toEqual([{ endpoints: [{ address: "a:1" }] }]);
	await clock.advance(1);
	expect(watching.seen[1]).toEqual({
		endpoints: [{ address: "a:1", weight: 2 }, { address: "b:1" }],
	});
});

test("it calls the function every 30 s by default", async () => {
	vi.useFakeTimers();
	try {
		const list = vi.fn(async () => ["a:1"]);
		const watching = new Watching(poll(list));
		await vi.advanceTimersByTimeAsync(29_999);
		expect(list).toHaveBeenCalledTimes(1);
		await vi.advanceTimersByTimeAsync(1);
		expect(list).toHaveBeenCalledTimes(2);
		await watching[Symbol.asyncDispose]();
	} finally {
		vi.useRealTimers();
	}
});

test("it works with only a function", async () => {
	await using watching = new Watching(poll(async () => ["a:1"]));
	await watching.until(() => watching.seen.length > 0);
	expect(watching.addresses).toEqual(["a:1"]);
});

test("an error of the function ends the watch, whether it is thrown or the promise rejects", async () => {
	const fault = new Error("inventory is down");
	const late = new Watching(poll(() => Promise.reject(fault)));
	expect(await late.ended).toBe(fault);
	const soon = new Watching(
		poll(() => {
			throw fault;
		}),
	);
	expect(await soon.ended).toBe(fault);
});

test("the error for an invalid endpoint says which one it is", async () => {
	const watching = new Watching(poll(async () => ["a:1", "b"]));
	expect(await watching.ended).toMatchObject({
		message: "poll[1]: has no port; add one, as in localhost:50051",
	});
});

test("the function's signal fires when the watch ends", async () => {
	const asked = Promise.withResolvers<AbortSignal>();
	const watching = new Watching(
		poll((signal) => {
			asked.resolve(signal);
			return new Promise(() => {});
		}),
	);
	const signal = await asked.promise;
	await watching[Symbol.asyncDispose]();
	expect(signal.aborted).toBe(true);
});

test("invalid arguments throw at once", () => {
	const list = async () => [];
	expect(() => poll(list, { every: "5" as "5s" })).toThrow(
		/^every: "5" is not/,
	);
	expect(() => poll(list, { evry: 5 } as object)).toThrow(
		"evry: is not an option; did you mean every?",
	);
	expect(() => poll([] as unknown as typeof list)).toThrow(
		"list: an empty list is not a function",
	);
});
