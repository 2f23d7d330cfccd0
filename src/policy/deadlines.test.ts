import { expect, test, vi } from "vitest";
import { FakeClock } from "../../testdata/harness/fake-clock.ts";
import { seeded } from "../../testdata/harness/seeded.ts";
import { systemClock } from "./clock.ts";
import { Deadlines, type Due } from "./deadlines.ts";

/** An item that records when it was due. */
class Item implements Due {
	duePlace = -1;
	passedAt: number | undefined;
	readonly dueAt: number;
	readonly #clock: FakeClock;
	readonly #then: () => void;

	constructor(clock: FakeClock, dueAt: number, then: () => void = () => {}) {
		this.#clock = clock;
		this.dueAt = dueAt;
		this.#then = then;
	}

	due(): void {
		this.passedAt = this.#clock.now();
		this.#then();
	}
}

function made() {
	const clock = new FakeClock();
	return { clock, deadlines: new Deadlines(clock) };
}

test("each deadline fires at its time, whatever the order in which they were added", async () => {
	const { clock, deadlines } = made();
	const items = [50, 10, 30, 10, 20.5].map((at) => new Item(clock, at));
	for (const item of items) deadlines.add(item);
	await clock.advance(100);
	expect(items.map(({ passedAt }) => passedAt)).toEqual([50, 10, 30, 10, 21]);
});

test("of 1,000 random deadlines, the deleted ones never fire and the others fire in time", async () => {
	const { clock, deadlines } = made();
	const random = seeded(7);
	const items: Item[] = [];
	const taken = new Set<Item>();
	for (let i = 0; i < 1000; i++) {
		const item = new Item(clock, clock.now() + Math.floor(random() * 500));
		deadlines.add(item);
		items.push(item);
		const other = items[Math.floor(random() * items.length)] as Item;
		if (random() < 0.4 && other.passedAt === undefined) {
			deadlines.delete(other);
			taken.add(other);
		}
		if (random() < 0.1) await clock.advance(3);
	}
	await clock.advance(1000);
	for (const item of items) {
		const expected = taken.has(item) ? undefined : item.dueAt;
		expect(item.passedAt).toBe(expected);
	}
	expect(taken.size).toBeGreaterThan(200);
	expect(clock.pending).toBe(0);
});

test("there is one timer for all deadlines, and none when there are no deadlines", () => {
	const { clock, deadlines } = made();
	const items = [30, 20, 10, 40].map((at) => new Item(clock, at));
	for (const item of items) deadlines.add(item);
	expect(clock.pending).toBe(1);
	for (const item of items) deadlines.delete(item);
	expect(clock.pending).toBe(0);
	deadlines.delete(items[0] as Item);
	expect(clock.pending).toBe(0);
});

test("on a clock that can, the timer of deadlines that were deleted is kept for the next ones, but not the process", async () => {
	const clock = new FakeClock();
	const after = vi.spyOn(clock, "after");
	let isAlive = true;
	const deadlines = new Deadlines(
		Object.assign(clock, {
			setKeepsAlive: (_: unknown, keepsAlive: boolean) => {
				isAlive = keepsAlive;
				return true;
			},
		}),
	);
	for (let i = 0; i < 10; i++) {
		const item = new Item(clock, clock.now() + 100);
		deadlines.add(item);
		expect(isAlive).toBe(true);
		await clock.advance(5);
		deadlines.delete(item);
		expect(isAlive).toBe(false);
	}
	expect(after).toHaveBeenCalledTimes(1);
	const late = new Item(clock, 170);
	deadlines.add(late);
	expect(isAlive).toBe(true);
	await clock.advance(200);
	expect(late.passedAt).toBe(170);
	expect(clock.pending).toBe(0);
	const last = new Item(clock, 300);
	deadlines.add(last);
	await clock.advance(100);
	expect(last.passedAt).toBe(300);
});

test("the timer of the platform keeps the process alive while there is a deadline, and only then", () => {
	const deadlines = new Deadlines(systemClock);
	const timers = (): number =>
		process.getActiveResourcesInfo().filter((each) => each === "Timeout")
			.length;
	const before = timers();
	const item = (): Due => ({
		dueAt: systemClock.now() + 10_000,
		duePlace: -1,
		due: () => {},
	});
	for (let i = 0; i < 3; i++) {
		const [one, other] = [item(), item()];
		deadlines.add(one);
		deadlines.add(other);
		expect(timers()).toBe(before + 1);
		deadlines.delete(one);
		deadlines.delete(other);
		expect(timers()).toBe(before);
	}
});

test("a deadline that fires may delete others and add new ones", async () => {
	const { clock, deadlines } = made();
	const late = new Item(clock, 12);
	const gone = new Item(clock, 10);
	const first = new Item(clock, 10, () => {
		deadlines.delete(gone);
		deadlines.add(late);
	});
	deadlines.add(first);
	deadlines.add(gone);
	await clock.advance(50);
	expect(gone.passedAt).toBeUndefined();
	expect(first.passedAt).toBe(10);
	expect(late.passedAt).toBe(12);
});

test("a deadline in the past fires at the next timer event, not inside add", async () => {
	const { clock, deadlines } = made();
	await clock.advance(100);
	const item = new Item(clock, 50);
	deadlines.add(item);
	expect(item.passedAt).toBeUndefined();
	await clock.advance(0);
	expect(item.passedAt).toBe(100);
});
