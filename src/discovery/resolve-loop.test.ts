import { expect, test } from "vitest";
import { FakeClock, settled } from "../../testdata/harness/fake-clock.ts";
import { Watching } from "../../testdata/harness/watching.ts";
import { type ResolvePace, resolveLoop } from "./resolve-loop.ts";
import type { Endpoint, Resolver } from "./resolver.ts";

/** A resolver whose results a test sets, and the turns that it has taken. */
function scripted(pace?: Partial<ResolvePace>) {
	const clock = new FakeClock();
	const turns: { at: number; requested: boolean }[] = [];
	const state: {
		endpoints: Endpoint[];
		error?: Error;
		nextInMs?: number;
		blocked?: Promise<void>;
	} = { endpoints: [{ address: "a:1" }] };
	const resolver: Resolver = {
		watch: (context) =>
			resolveLoop(
				context,
				{ everyMs: 30_000, clock, ...pace },
				async ({ requested }) => {
					turns.push({ at: clock.now(), requested });
					await state.blocked;
					if (state.error !== undefined) {
						throw state.error;
					}
					const { endpoints, nextInMs } = state;
					return { endpoints: [...endpoints], nextInMs };
				},
			),
	};
	return { clock, turns, state, resolver };
}

test("it resolves at the start, and again at its pace", async () => {
	const { clock, turns, resolver } = scripted();
	await using watching = new Watching(resolver);
	await clock.advance(60_000);
	expect(turns).toEqual([
		{ at: 0, requested: false },
		{ at: 30_000, requested: false },
		{ at: 60_000, requested: false },
	]);
	expect(watching.seen).toEqual([{ endpoints: [{ address: "a:1" }] }]);
});

test("a refresh makes the next turn due at once", async () => {
	const { clock, turns, resolver } = scripted();
	await using watching = new Watching(resolver);
	await clock.advance(5000);
	watching.refresh();
	await clock.advance(0);
	await clock.advance(30_000);
	expect(turns).toEqual([
		{ at: 0, requested: false },
		{ at: 5000, requested: true },
		{ at: 35_000, requested: false },
	]);
});

test("it resolves at most once a second, however often a refresh is requested", async () => {
	const { clock, turns, resolver } = scripted();
	await using watching = new Watching(resolver);
	for (let ms = 0; ms < 3000; ms += 100) {
		await clock.advance(100);
		watching.refresh();
	}
	expect(turns.map(({ at }) => at)).toEqual([0, 1000, 2000, 3000]);
});

test("it resolves at most once a second, even if the pace is faster", async () => {
	const { clock, turns, resolver } = scripted({ everyMs: 10 });
	await using _ = new Watching(resolver);
	await clock.advance(2500);
	expect(turns.map(({ at }) => at)).toEqual([0, 1000, 2000]);
});

test("a refresh that is requested during a turn leads to another turn", async () => {
	const { clock, turns, state, resolver } = scripted();
	const gate = Promise.withResolvers<void>();
	state.blocked = gate.promise;
	await using watching = new Watching(resolver);
	await settled();
	watching.refresh();
	gate.resolve();
	await clock.advance(1000);
	expect(turns).toEqual([
		{ at: 0, requested: false },
		{ at: 1000, requested: true },
	]);
});

test("it waits for one refresh at a time", async () => {
	const { clock, resolver } = scripted();
	await using watching = new Watching(resolver);
	await clock.advance(300_000);
	expect(watching.refreshesAwaited).toBe(1);
});

test("it yields only results that differ, and another order is not a difference", async () => {
	const { clock, state, resolver } = scripted();
	state.endpoints = [{ address: "a:1" }, { address: "b:1" }];
	await using watching = new Watching(resolver);
	await clock.advance(0);
	state.endpoints.reverse();
	await clock.advance(30_000);
	expect(watching.seen).toHaveLength(1);
	state.endpoints = [{ address: "a:1" }, { address: "b:1", weight: 2 }];
	await clock.advance(30_000);
	expect(watching.seen).toHaveLength(2);
	state.endpoints = [];
	await clock.advance(30_000);
	expect(watching.addresses).toEqual([]);
});

test("a result can set when the next turn is due", async () => {
	const { clock, turns, state, resolver } = scripted();
	state.nextInMs = 7000;
	await using _ = new Watching(resolver);
	await clock.advance(8000);
	expect(turns.map(({ at }) => at)).toEqual([0, 7000]);
});

test("a failed turn ends the watch with its error and leaves no timer", async () => {
	const { clock, state, resolver } = scripted();
	const watching = new Watching(resolver);
	await clock.advance(0);
	state.error = new Error("no such name");
	await clock.advance(30_000);
	expect(await watching.ended).toBe(state.error);
	expect(clock.pending).toBe(0);
});

test("it ends when the signal fires between two turns, and leaves no timer", async () => {
	const { clock, resolver } = scripted();
	const watching = new Watching(resolver);
	await clock.advance(0);
	expect(clock.pending).toBe(1);
	await watching[Symbol.asyncDispose]();
	expect(await watching.ended).toBeUndefined();
	expect(clock.pending).toBe(0);
});

test("it ends when the signal fires during a turn that never ends", async () => {
	const { clock, state, resolver } = scripted();
	state.blocked = new Promise(() => {});
	const watching = new Watching(resolver);
	await settled();
	await watching[Symbol.asyncDispose]();
	expect(watching.seen).toEqual([]);
	expect(clock.pending).toBe(0);
});

test("an error of a turn after the signal has fired is ignored", async () => {
	const { state, resolver } = scripted();
	const gate = Promise.withResolvers<void>();
	state.blocked = gate.promise;
	const watching = new Watching(resolver);
	await settled();
	await watching[Symbol.asyncDispose]();
	gate.reject(new Error("late"));
	await settled();
	expect(await watching.ended).toBeUndefined();
});

test("it does not resolve if the signal has fired before", async () => {
	const { turns, resolver } = scripted();
	const resolutions = resolver
		.watch({
			signal: AbortSignal.abort(),
			refresh: () => new Promise(() => {}),
		})
		[Symbol.asyncIterator]();
	expect(await resolutions.next()).toEqual({ done: true, value: undefined });
	expect(turns).toEqual([]);
});

test("another source may request turns until the watch ends", async () => {
	let ask = (): void => {};
	let woken = 0;
	const { clock, turns, resolver } = scripted({
		minMs: 0,
		wake: (given) => {
			ask = given;
			return () => {
				woken += 1;
			};
		},
	});
	const watching = new Watching(resolver);
	await clock.advance(10);
	ask();
	await clock.advance(0);
	expect(turns).toEqual([
		{ at: 0, requested: false },
		{ at: 10, requested: true },
	]);
	await watching[Symbol.asyncDispose]();
	expect(woken).toBeGreaterThan(0);
});

test("it releases its resources when the signal fires, even if the consumer never asks for more", async () => {
	let released = false;
	const { resolver } = scripted({
		wake: () => () => {
			released = true;
		},
	});
	const abort = new AbortController();
	const resolutions = resolver
		.watch({ signal: abort.signal, refresh: () => new Promise(() => {}) })
		[Symbol.asyncIterator]();
	await resolutions.next();
	abort.abort();
	expect(released).toBe(true);
});
