import { expect, test } from "vitest";
import { RequestBuffer, RetryBudget } from "./request-buffer.ts";

const bytes = (length: number): Uint8Array => new Uint8Array(length);

test("keeps frames in their order, and whether the request is whole", () => {
	const buffer = new RequestBuffer(new RetryBudget(100), 10);
	const [one, two] = [bytes(1), bytes(2)];
	expect(buffer.frames).toEqual([]);
	buffer.add(one);
	buffer.add(two);
	expect(buffer.frames).toEqual([one, two]);
	expect(buffer.frames[0]).toBe(one);
	expect(buffer.closed).toBe(false);
	buffer.close();
	expect(buffer.closed).toBe(true);
});

test("says when a call keeps too much: exactly the limit is not", () => {
	const budget = new RetryBudget(100);
	const buffer = new RequestBuffer(budget, 10);
	expect(buffer.add(bytes(4))).toBe(true);
	expect(buffer.add(bytes(6))).toBe(true);
	expect(buffer.add(bytes(1))).toBe(false);
	expect(budget.usedBytes).toBe(10);
});

test("keeps the frame that was too much, for whoever is to send it", () => {
	const buffer = new RequestBuffer(new RetryBudget(100), 10);
	const large = bytes(11);
	expect(buffer.add(large)).toBe(false);
	expect(buffer.frames).toEqual([large]);
});

test("says when all calls of a channel keep too much, and takes nothing that is not there", () => {
	const budget = new RetryBudget(10);
	const [one, two] = [
		new RequestBuffer(budget, 8),
		new RequestBuffer(budget, 8),
	];
	expect(one.add(bytes(6))).toBe(true);
	expect(two.add(bytes(5))).toBe(false);
	expect(budget.usedBytes).toBe(6);
	expect(two.add(bytes(4))).toBe(true);
	expect(budget.usedBytes).toBe(10);
});

test("gives back what it took, once, and only that", () => {
	const budget = new RetryBudget(10);
	const [one, two] = [
		new RequestBuffer(budget, 8),
		new RequestBuffer(budget, 8),
	];
	one.add(bytes(6));
	one.add(bytes(7));
	two.add(bytes(3));
	one.free();
	expect(one.frames).toEqual([]);
	expect(budget.usedBytes).toBe(3);
	one.free();
	expect(budget.usedBytes).toBe(3);
	two.free();
	expect(budget.usedBytes).toBe(0);
});

test("whoever holds the frames keeps them when the buffer forgets them", () => {
	const buffer = new RequestBuffer(new RetryBudget(10), 8);
	buffer.add(bytes(1));
	const { frames } = buffer;
	buffer.free();
	expect(frames).toHaveLength(1);
});
