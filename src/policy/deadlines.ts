import type { Clock, Timer } from "./clock.ts";

/** What has a deadline. */
export interface Due {
	/** Milliseconds on the channel's clock; does not change while it is kept. */
	readonly dueAt: number;
	/** Where it is kept: `Deadlines`' own, -1 for nowhere. */
	duePlace: number;
	/** Its deadline has passed, and it is kept no more. */
	due(): void;
}

/**
 * The deadlines of a channel's calls, under one timer: nearly all calls end long before theirs, and a timer for each would
 * be made only to be cancelled. A binary heap, the earliest first. The process stays alive while there are any.
 */
export class Deadlines {
	readonly #clock: Clock;
	readonly #heap: Due[] = [];
	#timer: Timer;
	/** Of the timer, which may be for one that is gone. */
	#wakesAt = Infinity;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	add(item: Due): void {
		this.#rise(item, this.#heap.length);
		if (item.dueAt < this.#wakesAt) this.#wake(item.dueAt);
	}

	/** One that is not kept is ignored. */
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

	#sleep(): void {
		this.#clock.cancel(this.#timer);
		this.#timer = undefined;
		this.#wakesAt = Infinity;
	}

	#look(): void {
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

	/** Puts an item at a place, or above it: those that are later make room. */
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

	/** Puts an item at a place, or below it: those that are earlier make room. */
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
