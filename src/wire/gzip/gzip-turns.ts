import { type TurnCounts, Turns } from "./turns.ts";

/** Limits for gzip on other threads. What exceeds them waits in order. */
export interface GzipLimits {
	/** Messages inflated at the same time, and as many deflated. Default 8, twice the threads that Node has. */
	maxInflations?: number | undefined;
	/** Total inflated size of the messages that are inflated at the same time, in bytes; the same for deflating. Default 64 MiB. */
	maxInflatingBytes?: number | undefined;
}

/** The messages of a server, or of a channel, that are inflated or deflated on other threads. */
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
