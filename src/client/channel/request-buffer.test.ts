import { expect, test } from "vitest";
import { PREFIX_BYTES } from "../../wire/message-frame.ts";
import { RequestBuffer, RetryBudget } from "./request-buffer.ts";

/** A message that takes so many bytes with its prefix. */
const taking = (bytes: number): Uint8Array =>
	new Uint8Array(bytes - PREFIX_BYTES);

test("keeps messages in their order, and whether the request is whole", () => {
	const buffer = new RequestBuffer(new RetryBudget(1000), 100);
	const [one, two] = [taking(10), taking(20)];
	expect(buffer.messages).toEqual([]);
	buffer.add(one, false);
	buffer.add(two, false);
	expect(buffer.messages).toEqual([one, two]);
	expect(buffer.messages[0]).toBe(one);
	expect(buffer.closed).toBe(false);
	buffer.close();
	expect(buffer.closed).toBe(true);
});

test("says when a call keeps too much: exactly the limit is not", () => {
	const budget = new RetryBudget(1000);
	const buffer = new RequestBuffer(budget, 100);
	expect(buffer.add(taking(40), false)).toBe(true);
	expect(buffer.add(taking(60), false)).toBe(true);
	expect(buffer.add(taking(10), false)).toBe(false);
	expect(budget.usedBytes).toBe(100);
});

test("keeps the message that was too much, for whoever is to send it", () => {
	const buffer = new RequestBuffer(new RetryBudget(1000), 100);
	const large = taking(110);
	expect(buffer.add(large, false)).toBe(false);
	expect(buffer.messages).toEqual([large]);
});

test("says when all calls of a channel keep too much, and takes nothing that is not there", () => {
	const budget = new RetryBudget(100);
	const [one, two] = [
		new RequestBuffer(budget, 80),
		new RequestBuffer(budget, 80),
	];
	expect(one.add(taking(60), false)).toBe(true);
	expect(two.add(taking(50), false)).toBe(false);
	expect(budget.usedBytes).toBe(60);
	expect(two.add(taking(40), false)).toBe(true);
	expect(budget.usedBytes).toBe(100);
});

test("gives back what it took, once, and only that", () => {
	const budget = new RetryBudget(100);
	const [one, two] = [
		new RequestBuffer(budget, 80),
		new RequestBuffer(budget, 80),
	];
	one.add(taking(60), false);
	one.add(taking(70), false);
	two.add(taking(30), false);
	one.free();
	expect(one.messages).toEqual([]);
	expect(budget.usedBytes).toBe(30);
	one.free();
	expect(budget.usedBytes).toBe(30);
	two.free();
	expect(budget.usedBytes).toBe(0);
});

test("whoever holds the messages keeps them when the buffer forgets them", () => {
	const buffer = new RequestBuffer(new RetryBudget(100), 80);
	buffer.add(taking(10), false);
	const { messages } = buffer;
	buffer.free();
	expect(messages).toHaveLength(1);
});

test("says which of its messages are compressed", () => {
	const buffer = new RequestBuffer(new RetryBudget(1000), 100);
	const [one, two] = [taking(10), taking(20)];
	buffer.add(one, false);
	buffer.add(two, true);
	expect(buffer.isCompressed(one)).toBe(false);
	expect(buffer.isCompressed(two)).toBe(true);
});
