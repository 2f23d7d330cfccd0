import { describe, expect, test, vi } from "vitest";
import { begun, replayable, watched } from "./foreign-messages.ts";

async function* counting(upTo: number, drawn: number[]): AsyncIterable<number> {
	for (let n = 1; n <= upTo; n++) {
		drawn.push(n);
		yield n;
	}
}

async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
	const list: T[] = [];
	for await (const message of messages) list.push(message);
	return list;
}

describe("replayable", () => {
	test("messages can be iterated again, and are drawn once, when they are first asked for", async () => {
		const drawn: number[] = [];
		const messages = replayable(counting(3, drawn));
		const first = messages[Symbol.asyncIterator]();
		expect(drawn).toEqual([]);
		await first.next();
		expect(drawn).toEqual([1]);
		expect(await all(messages)).toEqual([1, 2, 3]);
		expect(await first.next()).toEqual({ done: false, value: 2 });
		expect(await all(messages)).toEqual([1, 2, 3]);
		expect(drawn).toEqual([1, 2, 3]);
	});

	test("an error of the messages is the same in every iteration", async () => {
		const failure = new Error("no more");
		const messages = replayable<number>({
			[Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }),
		});
		await expect(all(messages)).rejects.toBe(failure);
		await expect(all(messages)).rejects.toBe(failure);
	});
});

describe("begun", () => {
	test("resolves with all messages once the first has come", async () => {
		const drawn: number[] = [];
		const messages = await begun(counting(3, drawn));
		expect(drawn).toEqual([1]);
		expect(await all(messages)).toEqual([1, 2, 3]);
	});

	test("resolves with no messages if there are none", async () => {
		expect(await all(await begun(counting(0, [])))).toEqual([]);
	});

	test("rejects if the first message fails, and passes on later errors", async () => {
		async function* failing(upTo: number): AsyncIterable<number> {
			yield* counting(upTo, []);
			throw new Error("broken");
		}
		await expect(begun(failing(0))).rejects.toThrow("broken");
		const messages = await begun(failing(1));
		await expect(all(messages)).rejects.toThrow("broken");
	});

	test("passes on that the iteration is left early", async () => {
		const left = vi.fn(async () => ({ done: true as const, value: undefined }));
		const messages = await begun<number>({
			[Symbol.asyncIterator]: () => ({
				next: async () => ({ done: false, value: 1 }),
				return: left,
			}),
		});
		for await (const _ of messages) break;
		expect(left).toHaveBeenCalledOnce();
	});
});

describe("watched", () => {
	function watching(messages: AsyncIterable<number>) {
		const ends: unknown[] = [];
		const iteration = watched(messages, {
			errorOf: (thrown) => new Error(`(${(thrown as Error).message})`),
			ended: (error) => ends.push(error),
		});
		return { iteration, ends };
	}

	test("messages report their end, and only then", async () => {
		const { iteration, ends } = watching(counting(2, []));
		const iterator = iteration[Symbol.asyncIterator]();
		await iterator.next();
		expect(await iterator.next()).toEqual({ done: false, value: 2 });
		expect(ends).toEqual([]);
		expect(await iterator.next()).toEqual({ done: true, value: undefined });
		expect(ends).toEqual([undefined]);
	});

	test("messages throw the error that the watcher makes, and report it", async () => {
		const { iteration, ends } = watching({
			[Symbol.asyncIterator]: () => ({
				next: () => Promise.reject(new Error("broken")),
			}),
		});
		await expect(all(iteration)).rejects.toThrow("(broken)");
		expect(ends).toMatchObject([{ message: "(broken)" }]);
	});

	test("messages report their end when they are left, even before the first", async () => {
		const { iteration, ends } = watching(counting(2, []));
		for await (const _ of iteration) break;
		expect(ends).toEqual([undefined]);
		await iteration[Symbol.asyncIterator]().return?.();
		expect(ends).toEqual([undefined, undefined]);
	});
});
