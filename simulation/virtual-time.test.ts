import { expect, test } from "vitest";
import { seeded } from "../testdata/harness/seeded.ts";
import { VirtualTime } from "./virtual-time.ts";

test("events happen in the order of their times, or of their creation at the same time", async () => {
	const time = new VirtualTime();
	const random = seeded(1);
	const due: { at: number; order: number }[] = [];
	const happened: typeof due = [];
	for (let order = 0; order < 1000; order++) {
		const event = { at: Math.floor(random() * 100), order };
		due.push(event);
		time.after(event.at, () => {
			expect(time.now()).toBe(event.at);
			happened.push(event);
		});
	}
	await time.runUntil(100);
	expect(happened).toEqual(
		due.sort((a, b) => a.at - b.at || a.order - b.order),
	);
});

test("cancelled events do not happen, later events wait, and time reaches the given end", async () => {
	const time = new VirtualTime();
	const happened: string[] = [];
	const timer = time.after(1, () => happened.push("called off"));
	time.after(2, () => happened.push("in time"));
	time.after(4, () => happened.push("later"));
	time.cancel(timer);
	time.cancel(undefined);
	await time.runUntil(3);
	expect(happened).toEqual(["in time"]);
	expect(time.now()).toBe(3);
	await time.runUntil(4);
	expect(happened).toEqual(["in time", "later"]);
});

test("promise callbacks after an idle timer run before the next event", async () => {
	const time = new VirtualTime();
	const happened: string[] = [];
	const { promise, resolve } = Promise.withResolvers<void>();
	void promise
		.then(() => {})
		.then(() => happened.push(`promise at ${time.now()}`));
	time.afterIdle(1, resolve);
	time.after(1, () => happened.push("event"));
	await time.runUntil(2);
	expect(happened).toEqual(["promise at 1", "event"]);
});

test("an event can schedule others", async () => {
	const time = new VirtualTime();
	const at: number[] = [];
	const again = (): void => {
		at.push(time.now());
		if (at.length < 4) time.after(10, again);
	};
	time.after(5, again);
	await time.runUntil(100);
	expect(at).toEqual([5, 15, 25, 35]);
});
