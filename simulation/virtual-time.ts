import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../src/policy/clock.ts";

interface Event {
	readonly at: number;
	/** Among those of one instant, the first made is the first to happen. */
	readonly order: number;
	/** Undefined once it was called off. */
	action: (() => void) | undefined;
}

/**
 * A clock that jumps from one event to the next: a minute of a busy service takes seconds, and the same minute always
 * goes the same way. Promises are given time only after what may have settled some, as most events do not.
 */
export class VirtualTime implements Clock {
	#now = 0;
	#made = 0;
	readonly #events: Event[] = [];
	#unsettled = true;

	now(): number {
		return this.#now;
	}

	/** Calls, which have no promises inside, wait by this. */
	after(ms: number, action: () => void): Timer {
		const event = { at: this.#now + ms, order: this.#made++, action };
		this.#push(event);
		return event;
	}

	/** Channels and their connections, which have, wait by this. */
	afterIdle(ms: number, action: () => void): Timer {
		return this.after(ms, () => {
			this.settle();
			action();
		});
	}

	cancel(timer: Timer): void {
		if (timer !== undefined) (timer as Event).action = undefined;
	}

	/** Lets promises do all they have to do before the next event. */
	settle(): void {
		this.#unsettled = true;
	}

	/** Moves on until `ms`; what is due later stays so. */
	async runUntil(ms: number): Promise<void> {
		for (;;) {
			if (this.#unsettled) {
				this.#unsettled = false;
				await setImmediate();
			}
			const next = this.#events[0];
			if (next === undefined || next.at > ms) break;
			this.#pop();
			const { action } = next;
			if (action === undefined) continue;
			next.action = undefined;
			this.#now = next.at;
			action();
		}
		this.#now = ms;
	}

	#push(event: Event): void {
		const heap = this.#events;
		let at = heap.push(event) - 1;
		while (at > 0) {
			const above = (at - 1) >> 1;
			const parent = heap[above] as Event;
			if (!isBefore(event, parent)) break;
			heap[at] = parent;
			at = above;
		}
		heap[at] = event;
	}

	/** Takes the first away. */
	#pop(): void {
		const heap = this.#events;
		const last = heap.pop() as Event;
		const count = heap.length;
		if (count === 0) return;
		let at = 0;
		for (;;) {
			let below = 2 * at + 1;
			if (below >= count) break;
			const right = below + 1;
			if (
				right < count &&
				isBefore(heap[right] as Event, heap[below] as Event)
			) {
				below = right;
			}
			const child = heap[below] as Event;
			if (!isBefore(child, last)) break;
			heap[at] = child;
			at = below;
		}
		heap[at] = last;
	}
}

function isBefore(a: Event, b: Event): boolean {
	return a.at < b.at || (a.at === b.at && a.order < b.order);
}
