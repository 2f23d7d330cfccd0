import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../src/policy/clock.ts";

interface Event {
	readonly at: number;
	/** Events at the same time happen in the order in which they were made. */
	readonly order: number;
	/** Undefined after it was cancelled. */
	action: (() => void) | undefined;
}

/**
 * A clock that jumps from one event to the next. A minute of a busy service takes seconds to simulate, and always has the
 * same result. Most events settle no promises. The clock waits for promise callbacks only after events that may.
 */
export class VirtualTime implements Clock {
	#now = 0;
	#made = 0;
	readonly #events: Event[] = [];
	#unsettled = true;

	now(): number {
		return this.#now;
	}

	/** Used by calls, which have no promises inside. */
	after(ms: number, action: () => void): Timer {
		const event = { at: this.#now + ms, order: this.#made++, action };
		this.#push(event);
		return event;
	}

	/** Used by channels and connections, which do. */
	afterIdle(ms: number, action: () => void): Timer {
		return this.after(ms, () => {
			this.settle();
			action();
		});
	}

	cancel(timer: Timer): void {
		if (timer !== undefined) (timer as Event).action = undefined;
	}

	/** Lets all promise callbacks run before the next event. */
	settle(): void {
		this.#unsettled = true;
	}

	/** Runs all events up to `ms`. Later events stay scheduled. */
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

	/** Removes the first event. */
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
