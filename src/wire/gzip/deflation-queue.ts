import { compress } from "./gzip.ts";
import { deflate, type StoppableWork } from "./gzip-work.ts";
import { deflatesLater, isCompressed } from "./message-compression.ts";
import type { Turns } from "./turns.ts";

export interface DeflationQueueOwner {
	/** Hands over the next message, which is `compressed` or not worth it. */
	send(message: Uint8Array, compressed: boolean): void;
	/** No message waits any more. */
	emptied(): void;
	/** A message could not be deflated. Nothing follows. */
	failed(error: Error): void;
}

/** Keeps the messages of one stream in order while one of them is deflated on another thread. */
export class DeflationQueue {
	readonly #deflations: Turns;
	readonly #owner: DeflationQueueOwner;
	#waiting: (Uint8Array | (() => void))[] = [];
	#deflation: StoppableWork | undefined;
	#stopped = false;

	constructor(deflations: Turns, owner: DeflationQueueOwner) {
		this.#deflations = deflations;
		this.#owner = owner;
	}

	push(message: Uint8Array): void {
		this.#waiting.push(message);
		this.#next();
	}

	/** Runs `step` once all messages before it have been handed over. */
	whenSent(step: () => void): void {
		this.#waiting.push(step);
		this.#next();
	}

	/** Drops what waits. Nothing more is told. */
	stop(): void {
		this.#stopped = true;
		this.#waiting = [];
		this.#deflation?.stop();
	}

	#next(): void {
		while (this.#deflation === undefined && !this.#stopped) {
			const next = this.#waiting.shift();
			if (next === undefined) {
				this.#owner.emptied();
				return;
			}
			if (typeof next === "function") next();
			else if (deflatesLater(next, "gzip")) this.#deflate(next);
			else if (isCompressed(next, "gzip")) {
				this.#owner.send(compress(next), true);
			} else this.#owner.send(next, false);
		}
	}

	#deflate(message: Uint8Array): void {
		this.#deflation = deflate(this.#deflations, message, {
			done: (payload) => {
				this.#deflation = undefined;
				this.#owner.send(payload, true);
				this.#next();
			},
			failed: (error) => {
				this.stop();
				this.#owner.failed(error);
			},
		});
	}
}
