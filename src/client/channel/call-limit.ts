import { Code, ConnectError } from "@connectrpc/connect";
import { OptionError } from "../../checks/option-error.ts";

/** A call that waits for its turn. */
export interface QueuedCall {
	/** Gives up: it was cancelled, or its deadline has passed. After its turn has come, does nothing. */
	leave(): void;
}

/** A link of the queue, which is a ring through its anchor. */
interface Link {
	before: Link;
	after: Link;
	readonly go: () => void;
}

/**
 * How many calls of a channel are in flight at once, from start to end, streams
 * among them. Further calls wait, first come, first served, up to a bound of
 * their own. All that it does takes the same time however many wait.
 */
export class CallLimit {
	readonly #maxConcurrent: number;
	readonly #maxQueued: number;
	readonly #anchor: Link = anchor();
	#inFlight = 0;
	#waiting = 0;
	#admitting = false;

	/** `maxQueued` is as large as `maxConcurrent` where it is not given. */
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
	 * Asks for a turn. "now": the call goes, and owes an `ended`. A queued call
	 * goes, and owes one, when `go` is called, which may not throw. "refused":
	 * the queue is full, and `refusal` has the error.
	 */
	admit(go: () => void): "now" | "refused" | QueuedCall {
		// While others wait, nobody overtakes them.
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

	/** A call that had its turn has ended: the next one goes. */
	ended(): void {
		this.#inFlight -= 1;
		// A call that ends in its own `go` must not make the stack grow with the queue.
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

	/** The error of a call that was refused: RESOURCE_EXHAUSTED. */
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
		// Out of the ring, a link points at itself.
		if (link.after === link) return;
		link.before.after = link.after;
		link.after.before = link.before;
		link.before = link;
		link.after = link;
		this.#waiting -= 1;
	}
}

/**
 * The limit that the options of a channel ask for, if they do. They have been
 * checked, one by one.
 *
 * @throws OptionError for a queue without a limit to wait for
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
