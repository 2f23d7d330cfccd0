/** What the calls of one run came to, by the second in which they began. */
export class Record {
	readonly seconds: Second[] = [];
	/** What a failed call is said to have taken: it has cost its caller the whole of its time, whenever it failed. */
	readonly #failedMs: number;
	/** A call is good that goes well within so many milliseconds. */
	readonly #goodMs: number;

	constructor(failedMs: number, goodMs: number) {
		this.#failedMs = failedMs;
		this.#goodMs = goodMs;
	}

	ended(startedAt: number, endedAt: number, wentWell: boolean): void {
		const second = this.#at(startedAt);
		const ms = wentWell ? endedAt - startedAt : this.#failedMs;
		second.latencies.push(ms);
		if (wentWell) second.wentWell += 1;
		if (ms <= this.#goodMs) second.good += 1;
	}

	sent(at: number): void {
		this.#at(at).requests += 1;
	}

	#at(ms: number): Second {
		const index = Math.floor(ms / 1000);
		while (this.seconds.length <= index) {
			this.seconds.push({ latencies: [], wentWell: 0, good: 0, requests: 0 });
		}
		return this.seconds[index] as Second;
	}
}

export interface Second {
	/** Of the calls that began in it, in milliseconds, in the order of their ends. */
	readonly latencies: number[];
	wentWell: number;
	good: number;
	/** Sent in it, by all calls. */
	requests: number;
}

/** What happened from one second on until before another. */
export interface Summary {
	readonly calls: number;
	/** Shares of 1. */
	readonly success: number;
	readonly p50: number;
	readonly p99: number;
	readonly p999: number;
	/** Requests that were sent, for each call. */
	readonly load: number;
}

export function summary(
	seconds: readonly Second[],
	from: number,
	to: number,
): Summary {
	const part = seconds.slice(from, to);
	const latencies = Float64Array.from(
		part.flatMap((second) => second.latencies),
	).sort();
	const sum = (of: (second: Second) => number): number =>
		part.reduce((total, second) => total + of(second), 0);
	return {
		calls: latencies.length,
		success: sum((second) => second.wentWell) / latencies.length,
		p50: percentile(latencies, 0.5),
		p99: percentile(latencies, 0.99),
		p999: percentile(latencies, 0.999),
		load: sum((second) => second.requests) / latencies.length,
	};
}

/** Of values that are sorted; nearest rank. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
	const rank = Math.max(Math.ceil(sorted.length * share), 1);
	return sorted[rank - 1] ?? Number.NaN;
}

/** In a second that is as it should be, so large a share of the calls are good. */
const SOUND = 0.99;

/**
 * How many seconds after `from` the last second ended that was not as it should be; 0 if all were, Infinity if the last
 * one was not.
 */
export function recovery(
	seconds: readonly Second[],
	from: number,
	to: number,
): number {
	for (let at = to - 1; at >= from; at--) {
		const { good, latencies } = seconds[at] as Second;
		if (good < SOUND * latencies.length) {
			return at === to - 1 ? Number.POSITIVE_INFINITY : at + 1 - from;
		}
	}
	return 0;
}
