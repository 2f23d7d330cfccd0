import { expect, test } from "vitest";
import { FakeClock } from "../../testdata/harness/fake-clock.ts";
import { Watching } from "../../testdata/harness/watching.ts";
import { type FollowedService, resolutionsOf } from "./followed-service.ts";

/** A service that tests change. Its first state becomes known when `tell` is called. */
function service() {
	const clock = new FakeClock();
	const { promise: told, resolve, reject } = Promise.withResolvers<void>();
	const looks: number[] = [];
	let address = "a:1";
	let changed = (): void => {};
	let ends = 0;
	const followed: FollowedService = {
		start: () => told,
		resolve: () => {
			looks.push(clock.now());
			return { endpoints: [{ address }] };
		},
		onChange: (listener) => {
			changed = listener;
			return () => {
				ends += 1;
			};
		},
		connectionLost: () => new Promise(() => {}),
	};
	const watching = new Watching({
		watch: ({ signal }) => resolutionsOf(followed, signal, clock),
	});
	return {
		clock,
		looks,
		watching,
		tell: () => {
			// A feed also reports its first answer as a change.
			changed();
			resolve();
			return clock.advance(0);
		},
		fail: reject,
		change: (to: string) => {
			address = to;
			changed();
			return clock.advance(0);
		},
		ends: () => ends,
	};
}

test("the first resolution comes as soon as the first state is known", async () => {
	const { watching, tell, change } = service();
	await change("b:1");
	expect(watching.seen).toEqual([]);
	await tell();
	expect(watching.addresses).toEqual(["b:1"]);
	await watching[Symbol.asyncDispose]();
});

test("a change after the first state is resolved at once, because the first state does not count as a change", async () => {
	const { clock, looks, watching, tell, change } = service();
	await clock.advance(50);
	await tell();
	await clock.advance(100);
	expect(looks).toEqual([50]);
	await change("b:1");
	expect(looks).toEqual([50, 150]);
	expect(watching.addresses).toEqual(["b:1"]);
	await watching[Symbol.asyncDispose]();
});

test("many quick changes are resolved at most every 100 ms, including the last one", async () => {
	const { clock, looks, watching, tell, change } = service();
	await tell();
	for (let i = 0; i < 100; i++) {
		await change(`c${i}:1`);
		await clock.advance(3);
	}
	await clock.advance(100);
	expect(looks).toEqual([0, 100, 200, 300]);
	expect(watching.addresses).toEqual(["c99:1"]);
	await watching[Symbol.asyncDispose]();
});

test("the watch ends with the error of the start, and stops following the service", async () => {
	const { watching, fail, ends } = service();
	fail(new Error("nobody is there"));
	expect(await watching.ended).toEqual(new Error("nobody is there"));
	expect(ends()).toBe(1);
});
