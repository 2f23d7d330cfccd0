import { describe, expect, test, vi } from "vitest";
import { AsyncQueue } from "./async-queue.ts";

/** A queue of bytes, of which a reader gets the length. */
function queueOfBytes() {
	const owner = {
		open: (bytes: Uint8Array): number => {
			if (bytes[0] === 0xff) throw new Error("malformed");
			return bytes.length;
		},
		bytesOf: ({ length }: Uint8Array): number => length,
		hold: vi.fn(),
		release: vi.fn(),
	};
	return { owner, queue: new AsyncQueue(owner) };
}

/** A queue of items that its reader gets as they are. */
function plainQueue<T>(): AsyncQueue<T> {
	return new AsyncQueue<T>({ open: (item) => item });
}

const bytes = (length: number): Uint8Array => new Uint8Array(length);
const done = { done: true, value: undefined };

describe("an async queue", () => {
	test("gives each item, in order, and then ends", async () => {
		const { queue } = queueOfBytes();
		queue.push(bytes(1));
		queue.push(bytes(2));
		queue.end();
		const lengths: unknown[] = [];
		for await (const length of queue) lengths.push(length);
		expect(lengths).toEqual([1, 2]);
		expect(await queue.next()).toEqual(done);
	});

	test("answers several reads that wait at once, in their order", async () => {
		const { queue } = queueOfBytes();
		const asked = [queue.next(), queue.next(), queue.next()];
		expect(queue.isAwaited).toBe(true);
		queue.push(bytes(1));
		queue.push(bytes(2));
		queue.end();
		expect(await Promise.all(asked)).toEqual([
			{ done: false, value: 1 },
			{ done: false, value: 2 },
			done,
		]);
		expect(queue.isAwaited).toBe(false);
	});

	test("reads plain items, too, with undefined as the end", async () => {
		const { queue } = queueOfBytes();
		const first = queue.read();
		queue.push(bytes(1));
		queue.push(bytes(2));
		expect(await first).toBe(1);
		expect(await queue.read()).toBe(2);
		const last = queue.read();
		queue.end();
		expect(await last).toBeUndefined();
		expect(await queue.read()).toBeUndefined();
	});

	test("holds its producer from 64 KiB on, and releases it when less than half of that waits", async () => {
		const { owner, queue } = queueOfBytes();
		for (let i = 0; i < 6; i++) queue.push(bytes(10_000));
		expect(owner.hold).not.toHaveBeenCalled();
		queue.push(bytes(10_000));
		queue.push(bytes(10_000));
		expect(owner.hold).toHaveBeenCalledTimes(1);
		for (let i = 0; i < 4; i++) await queue.next();
		expect(owner.release).not.toHaveBeenCalled();
		await queue.next();
		expect(owner.release).toHaveBeenCalledTimes(1);
	});

	test("holds its producer, too, for plenty of items that are empty", () => {
		const { owner, queue } = queueOfBytes();
		for (let i = 0; i < 2000; i++) queue.push(bytes(0));
		expect(owner.hold).toHaveBeenCalledTimes(1);
	});

	test("drops what its reader does not want, and holds its producer no longer", async () => {
		const { owner, queue } = queueOfBytes();
		queue.push(bytes(100_000));
		expect(owner.hold).toHaveBeenCalledTimes(1);
		for await (const _ of queue) {
			queue.push(bytes(100_000));
			break;
		}
		expect(owner.release).toHaveBeenCalledTimes(2);
		for (let i = 0; i < 10; i++) queue.push(bytes(100_000));
		expect(owner.hold).toHaveBeenCalledTimes(2);
		expect(await queue.next()).toEqual(done);
	});

	test("an abort rejects every read, before and after it, and drops what waits", async () => {
		const { owner, queue } = queueOfBytes();
		const asked = queue.next();
		const failure = new Error("gone");
		queue.abort(failure);
		await expect(asked).rejects.toBe(failure);
		queue.push(bytes(1));
		await expect(queue.next()).rejects.toBe(failure);

		const late = queueOfBytes();
		late.queue.push(bytes(100_000));
		late.queue.end();
		late.queue.abort(failure);
		expect(late.owner.release).toHaveBeenCalledTimes(1);
		await expect(late.queue.next()).rejects.toBe(failure);
		await expect(late.queue.read()).rejects.toBe(failure);
		expect(owner.hold).not.toHaveBeenCalled();
	});

	test("a failure comes after the items that wait, and only once", async () => {
		const queue = plainQueue<string>();
		queue.push("a");
		const failure = new Error("gone");
		queue.fail(failure);
		queue.fail(new Error("again"));
		queue.end();
		expect(queue.isOpen).toBe(false);
		expect(await queue.next()).toEqual({ done: false, value: "a" });
		await expect(queue.next()).rejects.toBe(failure);
		await expect(queue.next()).rejects.toBe(failure);
	});

	test("a failure after a good end changes nothing", async () => {
		const queue = plainQueue<string>();
		queue.end();
		queue.fail(new Error("late"));
		expect(await queue.next()).toEqual(done);
	});

	test("an item that cannot be opened rejects its read alone, whether it waited or not", async () => {
		const { queue } = queueOfBytes();
		const asked = queue.next();
		queue.push(new Uint8Array([0xff]));
		await expect(asked).rejects.toThrow("malformed");
		queue.push(new Uint8Array([0xff]));
		queue.push(new Uint8Array([0xff]));
		queue.push(bytes(3));
		await expect(queue.next()).rejects.toThrow("malformed");
		await expect(queue.read()).rejects.toThrow("malformed");
		expect(await queue.next()).toEqual({ done: false, value: 3 });
	});

	test("an owner may abort while it opens an item", async () => {
		const failure = new Error("malformed");
		const queue: AsyncQueue<string> = new AsyncQueue({
			open: (): string => {
				queue.abort(failure);
				throw failure;
			},
			bytesOf: ({ length }) => length,
		});
		queue.push("a");
		queue.push("b");
		await expect(queue.next()).rejects.toBe(failure);
		expect(queue.size).toBe(0);
		expect(queue.bytes).toBe(0);
	});

	test("hands back what is dropped", () => {
		const queue = plainQueue<number>();
		for (let i = 0; i < 5; i++) queue.push(i);
		void queue.next();
		expect(queue.clear()).toEqual([1, 2, 3, 4]);
		expect(queue.size).toBe(0);
	});

	test("keeps the order of thousands of items that are pushed and read by turns", async () => {
		const queue = plainQueue<number>();
		const read: (number | undefined)[] = [];
		let pushed = 0;
		while (read.length < 10_000) {
			for (let i = 0; i < 7 && pushed < 10_000; i++) queue.push(pushed++);
			for (let i = 0; i < 3; i++) read.push(await queue.read());
			expect(queue.size).toBe(pushed - read.length);
			if (pushed === 10_000) queue.end();
			if (queue.size < 3) break;
		}
		while (queue.size > 0) read.push(await queue.read());
		expect(read).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
	});
});
