import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { RoomQueue, type WaitingForRoom } from "./room-queue.ts";

/** A queue in which calls wait by name, and what became of them. */
function queueOf(...names: string[]) {
	const clock = new FakeClock();
	const queue = new RoomQueue(clock);
	const heard: string[] = [];
	const calls = new Map<string, WaitingForRoom>();
	const add = (name: string, then = (): void => {}): void => {
		const call: WaitingForRoom = {
			takeRoom: () => {
				heard.push(name);
				then();
			},
			pickAgain: () => heard.push(`${name} leaves`),
		};
		calls.set(name, call);
		queue.add(call);
	};
	for (const name of names) add(name);
	/** So many places come free. */
	const serve = (places: number): void => {
		let left = places;
		queue.serve(() => left-- > 0);
	};
	return { queue, clock, heard, calls, add, serve };
}

test("each place goes to the one that has waited longest, and nobody else is asked", () => {
	const { heard, add, serve } = queueOf("a", "b", "c");
	serve(1);
	add("d");
	expect(heard).toEqual(["a"]);
	serve(2);
	serve(5);
	expect(heard).toEqual(["a", "b", "c", "d"]);
});

test("one that has left is passed by", () => {
	const { queue, heard, calls, serve } = queueOf("a", "b", "c");
	queue.delete(calls.get("a") as WaitingForRoom);
	queue.delete(calls.get("a") as WaitingForRoom);
	serve(1);
	expect(heard).toEqual(["b"]);
	expect(queue.size).toBe(1);
});

test("one that ends as soon as it has its place does not make the stack grow", () => {
	const { queue, heard, add, serve } = queueOf();
	for (let i = 0; i < 20_000; i++) add(`${i}`, () => serve(1));
	serve(20_000);
	expect(heard).toHaveLength(20_000);
	expect(queue.size).toBe(0);
});

test("one that has to wait again is not asked again at once", () => {
	const { queue, heard, add } = queueOf();
	const again = (): void => add("b", again);
	add("a", again);
	queue.serve(() => true);
	expect(heard).toEqual(["a"]);
});

test("all leave, in their order, when there will be no room", () => {
	const { queue, heard, serve } = queueOf("a", "b");
	queue.dismiss();
	serve(2);
	expect(heard).toEqual(["a leaves", "b leaves"]);
});

test("the process stays alive while one waits, and no longer", () => {
	const { clock, serve, add } = queueOf("a");
	expect(clock.pending).toBe(1);
	serve(1);
	expect(clock.pending).toBe(0);
	add("b");
	expect(clock.pending).toBe(1);
});
