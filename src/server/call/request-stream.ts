/** Requests that wait for the handler may take this many bytes; then the client has to wait. */
const HOLD_BYTES = 64 * 1024;

/** What a waiting request takes beside its own bytes. */
const OVERHEAD_BYTES = 64;

/** Where a stream of requests comes from. */
export interface RequestSource {
	/** One message; throws when it is malformed. */
	decode(bytes: Uint8Array): unknown;
	/** Stops the delivery of requests, and so the client, until `release`. */
	hold(): void;
	release(): void;
}

type Result = IteratorResult<unknown, undefined>;

interface Reader {
	resolve(result: Result): void;
	reject(reason: unknown): void;
}

const DONE: Result = { done: true, value: undefined };

/** The requests of a streaming call, as its handler iterates over them: once, from the first. */
export class RequestStream implements AsyncIterableIterator<unknown> {
	readonly #source: RequestSource;
	#waiting: Uint8Array[] = [];
	#waitingBytes = 0;
	#held = false;
	/** Calls of `next` that wait for a request. */
	#readers: Reader[] = [];
	#state: "open" | "ended" | "failed" = "open";
	#error: unknown;

	constructor(source: RequestSource) {
		this.#source = source;
	}

	/** Of requests that the handler has yet to take. */
	get waitingBytes(): number {
		return this.#waitingBytes;
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	next(): Promise<Result> {
		const bytes = this.#waiting.shift();
		if (bytes !== undefined) return this.#take(bytes);
		switch (this.#state) {
			case "open":
				return new Promise((resolve, reject) => {
					this.#readers.push({ resolve, reject });
				});
			case "ended":
				return Promise.resolve(DONE);
			case "failed":
				return Promise.reject(this.#error);
		}
	}

	/** The handler wants no more requests: those that still come are dropped. */
	return(): Promise<Result> {
		this.#drop();
		this.end();
		return Promise.resolve(DONE);
	}

	/** One more request; it is decoded when the handler takes it. */
	push(bytes: Uint8Array): void {
		if (this.#state !== "open") return;
		const reader = this.#readers.shift();
		if (reader !== undefined) {
			try {
				reader.resolve(this.#result(bytes));
			} catch (error) {
				reader.reject(error);
			}
			return;
		}
		this.#waiting.push(byItself(bytes));
		this.#waitingBytes += bytes.length + OVERHEAD_BYTES;
		if (!this.#held && this.#waitingBytes >= HOLD_BYTES) {
			this.#held = true;
			this.#source.hold();
		}
	}

	/** No more requests. */
	end(): void {
		if (this.#state !== "open") return;
		this.#state = "ended";
		for (const reader of this.#readers.splice(0)) reader.resolve(DONE);
	}

	/** No more requests, and those that wait are void: the call has failed. */
	fail(error: unknown): void {
		if (this.#state === "failed") return;
		this.#state = "failed";
		this.#error = error;
		this.#drop();
		for (const reader of this.#readers.splice(0)) reader.reject(error);
	}

	#take(bytes: Uint8Array): Promise<Result> {
		this.#waitingBytes -= bytes.length + OVERHEAD_BYTES;
		let result: Promise<Result>;
		try {
			result = Promise.resolve(this.#result(bytes));
		} catch (error) {
			result = Promise.reject(error);
		}
		if (this.#waitingBytes < HOLD_BYTES / 2) this.#release();
		return result;
	}

	#result(bytes: Uint8Array): Result {
		return { done: false, value: this.#source.decode(bytes) };
	}

	#drop(): void {
		this.#waiting = [];
		this.#waitingBytes = 0;
		this.#release();
	}

	#release(): void {
		if (!this.#held) return;
		this.#held = false;
		this.#source.release();
	}
}

/** What waits keeps no more of the memory that it came in than four times its own. */
function byItself(bytes: Uint8Array): Uint8Array {
	const isAlone = bytes.buffer.byteLength <= 4 * bytes.length + OVERHEAD_BYTES;
	return isAlone ? bytes : bytes.slice();
}
