import { type TurnCounts, Turns } from "./turns.ts";

/** How much of gzip may be under way on other threads at a time, and wait in order beyond. */
export interface GzipLimits {
	/** Messages that inflate, and as many that deflate. Default: 8, twice the threads that Node has for it. */
	maxInflations?: number | undefined;
	/** What the messages that inflate at a time may take, inflated, in bytes, and the same for those that deflate. Default: 64 MiB. */
	maxInflatingBytes?: number | undefined;
}

/** The messages of a server, or of a client channel, that inflate or deflate on other threads. */
export class GzipTurns {
	readonly inflations: Turns;
	readonly deflations: Turns;

	constructor({
		maxInflations: maxCount = 8,
		maxInflatingBytes: maxBytes = 64 * 1024 * 1024,
	}: GzipLimits = {}) {
		this.inflations = new Turns({ maxCount, maxBytes });
		this.deflations = new Turns({ maxCount, maxBytes });
	}

	get counts(): GzipCounts {
		return {
			inflations: this.inflations.counts,
			deflations: this.deflations.counts,
		};
	}
}

export interface GzipCounts {
	readonly inflations: TurnCounts;
	readonly deflations: TurnCounts;
}
