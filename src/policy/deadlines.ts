import type { Clock, Timer } from "./clock.ts";

/** An object with a deadline, such as a call. */
export interface Due {
	/** The deadline in milliseconds, on the clock of the `Deadlines`. It must not change while the object is in them. */
	readonly dueAt: number;
	/** The index in the heap; -1 while the object is not in it. Only `Deadlines` writes it. */
	duePlace: number;
	/** Called when the deadline has passed, after the object has been removed from the heap. */
	due(): void;
}

/**
 * The deadlines of many calls, under one timer. Nearly all calls end long before their deadline, so that a timer for each
 * call would be created only to be cancelled. The deadlines are a binary heap with the earliest first. The process stays
 * alive while there are any.
 */
export class Deadlines {
	readonly #clock: Clock;
	readonly #heap: Due[] = [];
	#timer: Timer;
	/** When the timer fires. The deadline that it was set for may have been deleted since. */
	#wakesAt = Infinity;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	add(item: Due): void {
		this.#rise(item, this.#heap.length);
		if (item.dueAt < this.#wakesAt) this.#wake(item.dueAt);
		else if (this.#heap.length === 1) {
			this.#clock.setKeepsAlive?.(this.#timer, true);
		}
	}

	/** Removes an object. Does nothing if the object is not in the heap. */
	delete(item: Due): void {
		const place = item.duePlace;
		if (place < 0) return;
		item.duePlace = -1;
		const last = this.#heap.pop() as Due;
		if (last !== item) {
			if (last.dueAt < item.dueAt) this.#rise(last, place);
			else this.#sink(last, place);
		}
		if (this.#heap.length === 0) this.#sleep();
	}

	#wake(at: number): void {
		this.#clock.cancel(this.#timer);
		this.#wakesAt = at;
		const ms = Math.max(Math.ceil(at - this.#clock.now()), 0);
		this.#timer = this.#clock.after(ms, () => this.#look());
	}

	/**
	 * There is no deadline any more. Calls may well come and end one at a time: if the clock can keep the timer without
	 * keeping the process alive, it is kept for the next one.
	 */
	#sleep(): void {
		if (this.#clock.setKeepsAlive?.(this.#timer, false)) return;
		this.#clock.cancel(this.#timer);
		this.#timer = undefined;
		this.#wakesAt = Infinity;
	}

	#look(): void {
		this.#timer = undefined;
		this.#wakesAt = Infinity;
		const now = this.#clock.now();
		let first = this.#heap[0];
		while (first !== undefined && first.dueAt <= now) {
			this.delete(first);
			first.due();
			first = this.#heap[0];
		}
		if (first !== undefined && first.dueAt < this.#wakesAt) {
			this.#wake(first.dueAt);
		}
	}

	/** Puts an item at a place of the heap or above it, and moves items with later deadlines down. */
	#rise(item: Due, place: number): void {
		const heap = this.#heap;
		let at = place;
		while (at > 0) {
			const up = (at - 1) >> 1;
			const parent = heap[up] as Due;
			if (parent.dueAt <= item.dueAt) break;
			this.#put(parent, at);
			at = up;
		}
		this.#put(item, at);
	}

	/** Puts an item at a place of the heap or below it, and moves items with earlier deadlines up. */
	#sink(item: Due, place: number): void {
		const heap = this.#heap;
		let at = place;
		for (;;) {
			let down = 2 * at + 1;
			if (down >= heap.length) break;
			if (
				down + 1 < heap.length &&
				(heap[down + 1] as Due).dueAt < (heap[down] as Due).dueAt
			) {
				down += 1;
			}
			const child = heap[down] as Due;
			if (child.dueAt >= item.dueAt) break;
			this.#put(child, at);
			at = down;
		}
		this.#put(item, at);
	}

	#put(item: Due, place: number): void {
		this.#heap[place] = item;
		item.duePlace = place;
	}
}
