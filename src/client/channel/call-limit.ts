import { Code, ConnectError } from "@connectrpc/connect";
import { OptionError } from "../../checks/option-error.ts";

/** A call that waits in the queue. */
export interface QueuedCall {
	/** Leaves the queue, because the call was cancelled or its deadline has passed. Does nothing if its turn has come. */
	leave(): void;
}

/** A link in the queue, which is a ring that includes its anchor. */
interface Link {
	before: Link;
	after: Link;
	readonly go: () => void;
}

/**
 * Limits how many calls of a channel are in flight at the same time, from start to end, streams included. Further calls wait in a
 * queue of limited length, first come, first served. Every operation takes the same time, however many calls wait.
 */
export class CallLimit {
	readonly #maxConcurrent: number;
	readonly #maxQueued: number;
	readonly #anchor: Link = anchor();
	#inFlight = 0;
	#waiting = 0;
	#admitting = false;

	/** @param maxQueued by default the same as `maxConcurrent` */
	constructor(maxConcurrent: number, maxQueued: number = maxConcurrent) {
		this.#maxConcurrent = maxConcurrent;
		this.#maxQueued = maxQueued;
	}

	get inFlight(): number {
		return this.#inFlight;
	}

	get waiting(): number {
		return this.#waiting;
	}

	/**
	 * Asks for a turn. "now": the call may start, and `ended` must be called when it ends. A queued call may start when `go` is
	 * called, which must not throw, and `ended` must be called later as well. "refused": the queue is full, and `refusal` makes
	 * the error.
	 */
	admit(go: () => void): "now" | "refused" | QueuedCall {
		// New calls do not overtake waiting ones.
		if (this.#inFlight < this.#maxConcurrent && this.#waiting === 0) {
			this.#inFlight += 1;
			return "now";
		}
		if (this.#waiting >= this.#maxQueued) return "refused";
		const anchor = this.#anchor;
		const link: Link = { before: anchor.before, after: anchor, go };
		anchor.before.after = link;
		anchor.before = link;
		this.#waiting += 1;
		return { leave: () => this.#take(link) };
	}

	/** A call that had its turn has ended. The next one starts. */
	ended(): void {
		this.#inFlight -= 1;
		// If calls end inside their own `go`, the stack must not grow with the queue.
		if (this.#admitting) return;
		this.#admitting = true;
		try {
			while (this.#waiting > 0 && this.#inFlight < this.#maxConcurrent) {
				const next = this.#anchor.after;
				this.#take(next);
				this.#inFlight += 1;
				next.go();
			}
		} finally {
			this.#admitting = false;
		}
	}

	/** Makes the error of a refused call: RESOURCE_EXHAUSTED. */
	refusal(): ConnectError {
		const queue =
			this.#maxQueued === 0
				? ""
				: `, and maxQueuedCalls (${this.#maxQueued}) waiting`;
		return new ConnectError(
			`this channel has its maxConcurrentCalls (${this.#maxConcurrent}) in flight${queue}; call less at once, or raise the limit`,
			Code.ResourceExhausted,
		);
	}

	#take(link: Link): void {
		// A link outside of the ring points at itself.
		if (link.after === link) return;
		link.before.after = link.after;
		link.after.before = link.before;
		link.before = link;
		link.after = link;
		this.#waiting -= 1;
	}
}

/**
 * Makes the limit for the options of a channel, or undefined if they set none. The options have been checked one by one.
 *
 * @throws OptionError if `maxQueuedCalls` is set without `maxConcurrentCalls`
 */
export function callLimitOf(options: {
	readonly maxConcurrentCalls?: number | undefined;
	readonly maxQueuedCalls?: number | undefined;
}): CallLimit | undefined {
	const { maxConcurrentCalls, maxQueuedCalls } = options;
	if (maxConcurrentCalls !== undefined) {
		return new CallLimit(maxConcurrentCalls, maxQueuedCalls);
	}
	if (maxQueuedCalls !== undefined) {
		throw new OptionError(
			"maxQueuedCalls",
			"says nothing without a limit that calls wait for; set maxConcurrentCalls, too",
		);
	}
	return undefined;
}

function anchor(): Link {
	const link = { go: () => {} } as { before: Link; after: Link; go(): void };
	link.before = link;
	link.after = link;
	return link;
}
