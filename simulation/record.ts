/** The calls that began in one second, of one run or of several. */
export interface Second {
	/** Latencies in milliseconds. A failed call counts as if it had failed at its deadline. */
	readonly latencies: readonly number[];
	readonly wentWell: number;
	/** Calls that succeeded fast enough. */
	readonly good: number;
	/** Requests sent in this second, whenever their calls began. */
	readonly requests: number;
	/** Requests among them that went to another zone. */
	readonly across: number;
}

type Growing = {
	-readonly [Name in keyof Second]: Second[Name] extends number
		? number
		: number[];
};

/** Records the results of calls. */
export class Record {
	readonly #failedMs: number;
	readonly #goodMs: number;
	readonly #seconds: Growing[] = [];

	/** A failed call is recorded with a latency of `failedMs`. A call is good if its latency is at most `goodMs`. */
	constructor(failedMs: number, goodMs: number) {
		this.#failedMs = failedMs;
		this.#goodMs = goodMs;
	}

	get seconds(): readonly Second[] {
		return this.#seconds;
	}

	ended(startedAt: number, endedAt: number, wentWell: boolean): void {
		const second = this.#at(startedAt);
		const ms = wentWell ? endedAt - startedAt : this.#failedMs;
		second.latencies.push(ms);
		if (wentWell) second.wentWell += 1;
		if (ms <= this.#goodMs) second.good += 1;
	}

	sent(at: number, across: boolean): void {
		const second = this.#at(at);
		second.requests += 1;
		if (across) second.across += 1;
	}

	#at(ms: number): Growing {
		const index = Math.floor(ms / 1000);
		while (this.#seconds.length <= index) {
			this.#seconds.push({
				latencies: [],
				wentWell: 0,
				good: 0,
				requests: 0,
				across: 0,
			});
		}
		return this.#seconds[index] as Growing;
	}
}

/** Merges several runs, second by second. */
export function merged(runs: readonly (readonly Second[])[]): Second[] {
	const [first = []] = runs;
	return first.map((_, i) => joined(runs.flatMap((run) => run[i] ?? [])));
}

/** Merges several seconds into one. */
function joined(seconds: readonly Second[]): Second {
	const sum = (of: (second: Second) => number): number =>
		seconds.reduce((total, second) => total + of(second), 0);
	return {
		latencies: seconds.flatMap(({ latencies }) => latencies),
		wentWell: sum(({ wentWell }) => wentWell),
		good: sum(({ good }) => good),
		requests: sum(({ requests }) => requests),
		across: sum(({ across }) => across),
	};
}

export interface Summary {
	readonly calls: number;
	/** The share of successful calls, from 0 to 1. */
	readonly success: number;
	readonly p50: number;
	readonly p99: number;
	readonly p999: number;
	/** Requests sent per call. */
	readonly load: number;
	/** The share of requests that went to another zone. */
	readonly across: number;
}

export function summary(seconds: readonly Second[]): Summary {
	const all = joined(seconds);
	const latencies = Float64Array.from(all.latencies).sort();
	return {
		calls: latencies.length,
		success: all.wentWell / latencies.length,
		p50: percentile(latencies, 0.5),
		p99: percentile(latencies, 0.99),
		p999: percentile(latencies, 0.999),
		load: all.requests / latencies.length,
		across: all.across / all.requests,
	};
}

/** A percentile of sorted values, by the nearest-rank method. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
	const rank = Math.max(Math.ceil(sorted.length * share), 1);
	return sorted[rank - 1] ?? Number.NaN;
}

/** The highest number of requests per call among the seconds. */
export function peakLoad(seconds: readonly Second[]): number {
	return Math.max(
		...seconds.map(({ requests, latencies }) => requests / latencies.length),
	);
}

/** A second is sound if at least this share of its calls is good. */
const SOUND = 0.99;

/** The number of seconds after which all remaining ones are sound. Infinity if the last one is not. */
export function recovery(seconds: readonly Second[]): number {
	const last = seconds.findLastIndex(
		({ good, latencies }) => good < SOUND * latencies.length,
	);
	return last === seconds.length - 1 ? Number.POSITIVE_INFINITY : last + 1;
}
