import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, test } from "vitest";
import { type Turn, Turns } from "./turns.ts";

/** Takes turns of so many bytes each, and tells which have begun. */
function taking(turns: Turns) {
	const begun: string[] = [];
	const take = (name: string, bytes: number): Turn =>
		turns.take(bytes, () => begun.push(name));
	return { begun, take };
}

describe("turns", () => {
	test("start at once while there is room, and then in the order in which they came", () => {
		const turns = new Turns({ maxCount: 2, maxBytes: 1000 });
		const { begun, take } = taking(turns);
		const a = take("a", 1);
		const b = take("b", 1);
		const c = take("c", 1);
		take("d", 1);
		expect(begun).toEqual(["a", "b"]);
		expect(turns.counts).toEqual({ underWay: 2, bytes: 2, waiting: 2 });
		b.end();
		expect(begun).toEqual(["a", "b", "c"]);
		b.end();
		a.end();
		expect(begun).toEqual(["a", "b", "c", "d"]);
		c.end();
		expect(turns.counts).toEqual({ underWay: 1, bytes: 1, waiting: 0 });
	});

	test("are limited by bytes, and none overtakes a larger one", () => {
		const turns = new Turns({ maxCount: 10, maxBytes: 100 });
		const { begun, take } = taking(turns);
		const a = take("a", 60);
		const b = take("b", 60);
		const c = take("c", 10);
		expect(begun).toEqual(["a"]);
		a.end();
		expect(begun).toEqual(["a", "b", "c"]);
		take("d", 10);
		b.grow(40);
		take("e", 10);
		expect(begun).toEqual(["a", "b", "c", "d"]);
		b.end();
		c.end();
		expect(begun).toEqual(["a", "b", "c", "d", "e"]);
		expect(turns.counts.bytes).toBe(20);
	});

	test("that exceed the limit by themselves run alone", () => {
		const turns = new Turns({ maxCount: 10, maxBytes: 100 });
		const { begun, take } = taking(turns);
		const a = take("a", 10);
		const large = take("large", 1000);
		take("b", 10);
		expect(begun).toEqual(["a"]);
		a.end();
		expect(begun).toEqual(["a", "large"]);
		large.end();
		expect(begun).toEqual(["a", "large", "b"]);
	});

	test("that are abandoned while they wait make room for those behind them", () => {
		const turns = new Turns({ maxCount: 10, maxBytes: 100 });
		const { begun, take } = taking(turns);
		take("a", 60);
		const b = take("b", 60);
		take("c", 10);
		b.end();
		expect(begun).toEqual(["a", "c"]);
		expect(turns.counts).toEqual({ underWay: 2, bytes: 70, waiting: 0 });
	});

	test("start in the asynchronous context in which they were taken", () => {
		const storage = new AsyncLocalStorage<string>();
		const turns = new Turns({ maxCount: 1, maxBytes: 100 });
		const first = storage.run("one", () => turns.take(1, () => {}));
		let seen: string | undefined;
		storage.run("two", () =>
			turns.take(1, () => {
				seen = storage.getStore();
			}),
		);
		storage.run("one", () => first.end());
		expect(seen).toBe("two");
	});
});
