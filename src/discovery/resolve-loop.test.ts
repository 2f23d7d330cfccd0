import { expect, test } from "vitest";
import { FakeClock, settled } from "../../testdata/harness/fake-clock.ts";
import { Watching } from "../../testdata/harness/watching.ts";
import { lookAgain, type Pace } from "./resolve-loop.ts";
import type { Endpoint, Resolver } from "./resolver.ts";

/** A world that tests change, and a resolver that looks at it. */
function world(pace?: Partial<Pace>) {
	const clock = new FakeClock();
	const looks: { at: number; asked: boolean }[] = [];
	const state: {
		endpoints: Endpoint[];
		error?: Error;
		againInMs?: number;
		blocked?: Promise<void>;
	} = { endpoints: [{ address: "a:1" }] };
	const resolver: Resolver = {
		watch: (context) =>
			lookAgain(
				context,
				{ everyMs: 30_000, clock, ...pace },
				async ({ asked }) => {
					looks.push({ at: clock.now(), asked });
					await state.blocked;
					if (state.error !== undefined) {
						throw state.error;
					}
					const { endpoints, againInMs } = state;
					return { endpoints: [...endpoints], againInMs };
				},
			),
	};
	return { clock, looks, state, resolver };
}

test("looks at once, and again when it is time", async () => {
	const { clock, looks, resolver } = world();
	await using watching = new Watching(resolver);
	await clock.advance(60_000);
	expect(looks).toEqual([
		{ at: 0, asked: false },
		{ at: 30_000, asked: false },
		{ at: 60_000, asked: false },
	]);
	expect(watching.seen).toEqual([{ endpoints: [{ address: "a:1" }] }]);
});

test("a refresh brings the next look forward", async () => {
	const { clock, looks, resolver } = world();
	await using watching = new Watching(resolver);
	await clock.advance(5000);
	watching.refresh();
	await clock.advance(0);
	await clock.advance(30_000);
	expect(looks).toEqual([
		{ at: 0, asked: false },
		{ at: 5000, asked: true },
		{ at: 35_000, asked: false },
	]);
});

test("however often it is asked, it looks once a second at most", async () => {
	const { clock, looks, resolver } = world();
	await using watching = new Watching(resolver);
	for (let ms = 0; ms < 3000; ms += 100) {
		await clock.advance(100);
		watching.refresh();
	}
	expect(looks.map(({ at }) => at)).toEqual([0, 1000, 2000, 3000]);
});

test("nor more often when the pace is faster than that", async () => {
	const { clock, looks, resolver } = world({ everyMs: 10 });
	await using _ = new Watching(resolver);
	await clock.advance(2500);
	expect(looks.map(({ at }) => at)).toEqual([0, 1000, 2000]);
});

test("a refresh during a look is not forgotten", async () => {
	const { clock, looks, state, resolver } = world();
	const gate = Promise.withResolvers<void>();
	state.blocked = gate.promise;
	await using watching = new Watching(resolver);
	await settled();
	watching.refresh();
	gate.resolve();
	await clock.advance(1000);
	expect(looks).toEqual([
		{ at: 0, asked: false },
		{ at: 1000, asked: true },
	]);
});

test("one refresh is awaited at a time", async () => {
	const { clock, resolver } = world();
	await using watching = new Watching(resolver);
	await clock.advance(300_000);
	expect(watching.refreshesAwaited).toBe(1);
});

test("yields what has changed, and the order is no change", async () => {
	const { clock, state, resolver } = world();
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

test("a look can say when the next one is due", async () => {
	const { clock, looks, state, resolver } = world();
	state.againInMs = 7000;
	await using _ = new Watching(resolver);
	await clock.advance(8000);
	expect(looks.map(({ at }) => at)).toEqual([0, 7000]);
});

test("a failed look ends the watch with its error and leaves no timer", async () => {
	const { clock, state, resolver } = world();
	const watching = new Watching(resolver);
	await clock.advance(0);
	state.error = new Error("no such name");
	await clock.advance(30_000);
	expect(await watching.ended).toBe(state.error);
	expect(clock.pending).toBe(0);
});

test("ends when interest is lost while it waits, and leaves no timer", async () => {
	const { clock, resolver } = world();
	const watching = new Watching(resolver);
	await clock.advance(0);
	expect(clock.pending).toBe(1);
	await watching[Symbol.asyncDispose]();
	expect(await watching.ended).toBeUndefined();
	expect(clock.pending).toBe(0);
});

test("ends when interest is lost during a look that never ends", async () => {
	const { clock, state, resolver } = world();
	state.blocked = new Promise(() => {});
	const watching = new Watching(resolver);
	await settled();
	await watching[Symbol.asyncDispose]();
	expect(watching.seen).toEqual([]);
	expect(clock.pending).toBe(0);
});

test("an error of a look that nobody waits for any more is nobody's", async () => {
	const { state, resolver } = world();
	const gate = Promise.withResolvers<void>();
	state.blocked = gate.promise;
	const watching = new Watching(resolver);
	await settled();
	await watching[Symbol.asyncDispose]();
	gate.reject(new Error("late"));
	await settled();
	expect(await watching.ended).toBeUndefined();
});

test("does not look when interest was lost before", async () => {
	const { looks, resolver } = world();
	const resolutions = resolver
		.watch({
			signal: AbortSignal.abort(),
			refresh: () => new Promise(() => {}),
		})
		[Symbol.asyncIterator]();
	expect(await resolutions.next()).toEqual({ done: true, value: undefined });
	expect(looks).toEqual([]);
});

test("another source may ask, until the watch ends", async () => {
	let ask = (): void => {};
	let woken = 0;
	const { clock, looks, resolver } = world({
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
	expect(looks).toEqual([
		{ at: 0, asked: false },
		{ at: 10, asked: true },
	]);
	await watching[Symbol.asyncDispose]();
	expect(woken).toBeGreaterThan(0);
});

test("what it holds is let go when the signal fires, though nobody asks for more", async () => {
	let released = false;
	const { resolver } = world({
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
