import { expect, test } from "vitest";
import { FakeClock } from "../../testdata/harness/fake-clock.ts";
import { Watching } from "../../testdata/harness/watching.ts";
import { type FollowedService, statesOf } from "./followed-service.ts";

/** A service that tests change, of a system that begins to tell of it when `told` is called. */
function service() {
	const clock = new FakeClock();
	const { promise: told, resolve, reject } = Promise.withResolvers<void>();
	const looks: number[] = [];
	let address = "a:1";
	let changed = (): void => {};
	let ends = 0;
	const followed: FollowedService = {
		start: () => told,
		look: () => {
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
		watch: ({ signal }) => statesOf(followed, signal, clock),
	});
	return {
		clock,
		looks,
		watching,
		tell: () => {
			// As a feed does whose first answer is news, too.
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

test("the first state comes when something is known", async () => {
	const { watching, tell, change } = service();
	await change("b:1");
	expect(watching.seen).toEqual([]);
	await tell();
	expect(watching.addresses).toEqual(["b:1"]);
	await watching[Symbol.asyncDispose]();
});

test("a change right after the first state comes at once: what the service starts with is none", async () => {
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

test("of many changes in a row, the states come 100 ms apart, the last of all", async () => {
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

test("it ends with what the system says instead, and follows no more", async () => {
	const { watching, fail, ends } = service();
	fail(new Error("nobody is there"));
	expect(await watching.ended).toEqual(new Error("nobody is there"));
	expect(ends()).toBe(1);
});
