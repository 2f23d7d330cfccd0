/** A producer is held once the waiting items take this many bytes, and released below half of that. */
const HIGH_WATER_BYTES = 64 * 1024;

/** What an item counts beside its own bytes, so that a flood of empty messages holds its producer too. */
const OVERHEAD_BYTES = 64;

/** From this many read items on, the array that holds the waiting ones is cut. */
const CUT_FROM = 1024;

/** What a queue asks and tells the object that owns it. */
export interface QueueOwner<T, R> {
	/** Turns an item into what its reader gets. Called when the item is read; what it throws rejects that read. */
	open(item: T): R;
	/** The bytes of an item. Without this method the producer is never held. */
	bytesOf?(item: T): number;
	/** Enough items wait: the producer should stop until `release`. */
	hold?(): void;
	/** The producer may go on after `hold`. */
	release?(): void;
}

type Result<R> = IteratorResult<R, undefined>;

interface Reader<R> {
	/** Whether it wants an iteration's result, or the plain item with undefined as the end. */
	readonly wantsResult: boolean;
	resolve(value: Result<R> | R | undefined): void;
	reject(error: unknown): void;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * Items on their way from a producer that pushes to a reader that iterates: once, in order. Several reads may wait at the
 * same time; they are answered in the order of their calls.
 *
 * A read that finds an item waiting costs one resolved promise: no executor, no entry in a list.
 */
export class AsyncQueue<T, R = T>
	implements AsyncIterableIterator<R, undefined>
{
	readonly #owner: QueueOwner<T, R>;
	/** Those before `#first` have been read. */
	#items: (T | undefined)[] = [];
	#first = 0;
	#bytes = 0;
	#held = false;
	readonly #readers: Reader<R>[] = [];
	#state: "open" | "ended" | "failed" = "open";
	#error: unknown;

	constructor(owner: QueueOwner<T, R>) {
		this.#owner = owner;
	}

	/** Items that wait to be read. */
	get size(): number {
		return this.#items.length - this.#first;
	}

	/** Bytes of the items that wait to be read, with a fixed overhead for each. */
	get bytes(): number {
		return this.#bytes;
	}

	/** Whether a reader waits for the next item. */
	get isAwaited(): boolean {
		return this.#readers.length > 0;
	}

	/** Whether more items may be pushed: false after `end`, `fail`, `abort` and `return`. */
	get isOpen(): boolean {
		return this.#state === "open";
	}

	/** Adds an item. Ignored unless the queue is open. */
	push(item: T): void {
		if (this.#state !== "open") return;
		const reader = this.#readers.shift();
		if (reader !== undefined) {
			try {
				const value = this.#owner.open(item);
				reader.resolve(reader.wantsResult ? { done: false, value } : value);
			} catch (error) {
				reader.reject(error);
			}
			return;
		}
		this.#items.push(item);
		if (this.#owner.bytesOf === undefined) return;
		this.#bytes += this.#owner.bytesOf(item) + OVERHEAD_BYTES;
		if (!this.#held && this.#bytes >= HIGH_WATER_BYTES) {
			this.#held = true;
			this.#owner.hold?.();
		}
	}

	/** Ends the iteration well, after the items that wait. */
	end(): void {
		if (this.#state !== "open") return;
		this.#state = "ended";
		for (const reader of this.#readers.splice(0)) {
			reader.resolve(reader.wantsResult ? DONE : undefined);
		}
	}

	/** Ends the iteration with an error, after the items that wait. Ignored unless the queue is open. */
	fail(error: unknown): void {
		if (this.#state === "open") this.#fail(error);
	}

	/** Ends the iteration with an error at once, even after `end`, and drops the items that wait. */
	abort(error: unknown): void {
		if (this.#state !== "failed") this.#fail(error);
		this.clear();
	}

	/** Drops the items that wait, and returns them. */
	clear(): T[] {
		const dropped = this.#items.slice(this.#first) as T[];
		this.#items = [];
		this.#first = 0;
		this.#bytes = 0;
		this.#release();
		return dropped;
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	/** The next item as the step of an iteration. */
	next(): Promise<Result<R>> {
		if (this.size > 0) {
			try {
				return Promise.resolve({ done: false, value: this.#take() });
			} catch (error) {
				return Promise.reject(error);
			}
		}
		if (this.#state === "ended") return Promise.resolve(DONE);
		return this.#wait(true) as Promise<Result<R>>;
	}

	/** The next item, or undefined at the end. */
	read(): Promise<R | undefined> {
		if (this.size > 0) {
			try {
				return Promise.resolve(this.#take());
			} catch (error) {
				return Promise.reject(error);
			}
		}
		if (this.#state === "ended") return Promise.resolve(undefined);
		return this.#wait(false) as Promise<R | undefined>;
	}

	/** The reader wants no more: the items that wait, and those still to come, are dropped. */
	return(): Promise<Result<R>> {
		this.clear();
		this.end();
		return Promise.resolve(DONE);
	}

	#wait(wantsResult: boolean): Promise<Result<R> | R | undefined> {
		if (this.#state === "failed") return Promise.reject(this.#error);
		return new Promise((resolve, reject) => {
			this.#readers.push({ wantsResult, resolve, reject });
		});
	}

	#take(): R {
		const item = this.#shift();
		if (this.#owner.bytesOf === undefined) return this.#owner.open(item);
		this.#bytes -= this.#owner.bytesOf(item) + OVERHEAD_BYTES;
		try {
			return this.#owner.open(item);
		} finally {
			if (this.#bytes < HIGH_WATER_BYTES / 2) this.#release();
		}
	}

	/** `Array.shift`, but in constant time for arrays of any length. */
	#shift(): T {
		const items = this.#items;
		// Keeps the array's memory where one item at a time waits.
		if (items.length === 1) return items.pop() as T;
		const item = items[this.#first] as T;
		items[this.#first] = undefined;
		this.#first += 1;
		if (this.#first === items.length) {
			this.#items = [];
			this.#first = 0;
		} else if (this.#first >= CUT_FROM && 2 * this.#first > items.length) {
			this.#items = items.slice(this.#first);
			this.#first = 0;
		}
		return item;
	}

	#fail(error: unknown): void {
		this.#state = "failed";
		this.#error = error;
		for (const reader of this.#readers.splice(0)) reader.reject(error);
	}

	#release(): void {
		if (!this.#held) return;
		this.#held = false;
		this.#owner.release?.();
	}
}
