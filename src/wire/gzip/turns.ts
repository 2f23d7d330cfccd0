import { AsyncResource } from "node:async_hooks";

/** How much work may be under way at the same time. */
export interface TurnLimits {
	readonly maxCount: number;
	/** In bytes. Work that exceeds this by itself waits until nothing else is under way. */
	readonly maxBytes: number;
}

/** Work on other threads, as a snapshot shows it. */
export interface TurnCounts {
	readonly underWay: number;
	/** Bytes of the work under way. */
	readonly bytes: number;
	readonly waiting: number;
}

/** A place in the queue. */
export interface Turn {
	/** The work takes `bytes` more than expected. */
	grow(bytes: number): void;
	/** The work is done, or abandoned, begun or not. */
	end(): void;
}

interface Entry {
	bytes: number;
	readonly start: () => void;
	state: "waiting" | "underWay" | "over";
}

/** Starts work in the order in which it came, a bounded amount at the same time. */
export class Turns {
	readonly #limits: TurnLimits;
	readonly #waiting: Set<Entry> = new Set();
	#underWay = 0;
	#bytes = 0;

	constructor(limits: TurnLimits) {
		this.#limits = limits;
	}

	get counts(): TurnCounts {
		return {
			underWay: this.#underWay,
			bytes: this.#bytes,
			waiting: this.#waiting.size,
		};
	}

	/** Calls `start` when it is this work's turn, possibly at once. `bytes`: what the work takes, as far as that is known. */
	take(bytes: number, start: () => void): Turn {
		const now = this.#waiting.size === 0 && this.#hasRoom(bytes);
		const entry: Entry = {
			bytes,
			// Otherwise it would run in the asynchronous context of the work that ends before it.
			start: now ? start : AsyncResource.bind(start),
			state: "waiting",
		};
		if (now) this.#start(entry);
		else this.#waiting.add(entry);
		return {
			grow: (more) => {
				entry.bytes += more;
				if (entry.state === "underWay") this.#bytes += more;
			},
			end: () => this.#end(entry),
		};
	}

	#hasRoom(bytes: number): boolean {
		const { maxCount, maxBytes } = this.#limits;
		return (
			this.#underWay === 0 ||
			(this.#underWay < maxCount && this.#bytes + bytes <= maxBytes)
		);
	}

	#start(entry: Entry): void {
		entry.state = "underWay";
		this.#underWay += 1;
		this.#bytes += entry.bytes;
		entry.start();
	}

	#end(entry: Entry): void {
		if (entry.state === "underWay") {
			this.#underWay -= 1;
			this.#bytes -= entry.bytes;
		}
		entry.state = "over";
		this.#waiting.delete(entry);
		for (const next of this.#waiting) {
			if (!this.#hasRoom(next.bytes)) return;
			this.#waiting.delete(next);
			this.#start(next);
		}
	}
}
