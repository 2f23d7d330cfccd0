import { describe, expect, test } from "vitest";
import { MessagePipe } from "./message-pipe.ts";

/** Records when promises settle. */
function noting(): {
	notes: string[];
	note(name: string, promise: Promise<unknown>): void;
} {
	const notes: string[] = [];
	return {
		notes,
		note: (name, promise) => {
			promise.then(
				() => notes.push(name),
				(error: Error) => notes.push(`${name}: ${error.message}`),
			);
		},
	};
}

const tick = (): Promise<void> =>
	new Promise((resolve) => setImmediate(resolve));

async function all<T>(pipe: AsyncIterable<T>): Promise<T[]> {
	const messages: T[] = [];
	for await (const message of pipe) messages.push(message);
	return messages;
}

test("messages are read in the order in which they were written, and then the end", async () => {
	const pipe = new MessagePipe<number>();
	const read = all(pipe);
	for (const number of [1, 2, 3]) await pipe.write(number);
	pipe.close();
	expect(await read).toEqual([1, 2, 3]);
});

test("a write resolves when the reader has taken its message", async () => {
	const pipe = new MessagePipe<number>();
	const { notes, note } = noting();
	note("first", pipe.write(1));
	note("second", pipe.write(2));
	await tick();
	expect(notes).toEqual([]);
	const reader = pipe[Symbol.asyncIterator]();
	expect(await reader.next()).toEqual({ done: false, value: 1 });
	await tick();
	expect(notes).toEqual(["first"]);
	await reader.next();
	await tick();
	expect(notes).toEqual(["first", "second"]);
});

test("reads that wait get the next messages", async () => {
	const pipe = new MessagePipe<number>();
	const reader = pipe[Symbol.asyncIterator]();
	const reads = [reader.next(), reader.next(), reader.next()];
	await pipe.write(1);
	await pipe.write(2);
	pipe.close();
	expect(await Promise.all(reads)).toEqual([
		{ done: false, value: 1 },
		{ done: false, value: 2 },
		{ done: true, value: undefined },
	]);
});

test("closing ends the iteration after what was written", async () => {
	const pipe = new MessagePipe<number>();
	void pipe.write(1);
	pipe.close();
	expect(await all(pipe)).toEqual([1]);
	expect(await all(pipe)).toEqual([]);
});

test("a write after the close resolves at once", async () => {
	const pipe = new MessagePipe<number>();
	pipe.close();
	await pipe.write(1);
	expect(await all(pipe)).toEqual([]);
});

describe("a failure", () => {
	test("rejects the read that waits, and every later one", async () => {
		const pipe = new MessagePipe<number>();
		const reader = pipe[Symbol.asyncIterator]();
		const waiting = reader.next();
		pipe.fail(new Error("broken"));
		await expect(waiting).rejects.toThrow("broken");
		await expect(reader.next()).rejects.toThrow("broken");
	});

	test("resolves writes that wait, and drops their messages", async () => {
		const pipe = new MessagePipe<number>();
		const write = pipe.write(1);
		pipe.fail(new Error("broken"));
		await write;
		await expect(all(pipe)).rejects.toThrow("broken");
	});

	test("after the close has an effect only if something is left to read", async () => {
		const left = new MessagePipe<number>();
		void left.write(1);
		left.close();
		left.fail(new Error("broken"));
		await expect(all(left)).rejects.toThrow("broken");

		const read = new MessagePipe<number>();
		read.close();
		read.fail(new Error("broken"));
		expect(await all(read)).toEqual([]);
	});
});

describe("a reader that leaves", () => {
	test("resolves writes that wait, and later ones", async () => {
		const pipe = new MessagePipe<number>();
		const writes = [pipe.write(1), pipe.write(2)];
		for await (const message of pipe) {
			expect(message).toBe(1);
			break;
		}
		await Promise.all(writes);
		await pipe.write(3);
	});

	test("by throw() gets its own error", async () => {
		const pipe = new MessagePipe<number>();
		const write = pipe.write(1);
		const reader = pipe[Symbol.asyncIterator]();
		await expect(reader.throw?.(new Error("mine"))).rejects.toThrow("mine");
		await write;
	});
});
