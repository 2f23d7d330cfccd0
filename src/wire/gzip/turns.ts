import { AsyncResource } from "node:async_hooks";

/** How much work may be under way at a time. */
export interface TurnLimits {
	readonly maxCount: number;
	/** Work that is larger than this by itself waits until nothing else is under way. */
	readonly maxBytes: number;
}

/** What a snapshot says of work on other threads. */
export interface TurnCounts {
	readonly underWay: number;
	/** What those under way take, in bytes. */
	readonly bytes: number;
	readonly waiting: number;
}

/** A place in the order. */
export interface Turn {
	/** It takes so many more bytes than was thought. */
	grow(bytes: number): void;
	/** It is done, or given up, begun or not. */
	end(): void;
}

interface Entry {
	bytes: number;
	readonly start: () => void;
	state: "waiting" | "underWay" | "over";
}

/** Lets work begin in the order of its coming, a bounded amount at a time. */
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

	/** Calls `start` when it is this work's turn, which may be at once. `bytes`: what it takes, as far as that is known. */
	take(bytes: number, start: () => void): Turn {
		const now = this.#waiting.size === 0 && this.#hasRoom(bytes);
		const entry: Entry = {
			bytes,
			// Else it would run in the asynchronous context of whatever ends before it.
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
