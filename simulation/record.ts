/** The calls that began in one second, of one run or of several. */
export interface Second {
	/** In milliseconds; a failed call counts as if it had failed at its deadline. */
	readonly latencies: readonly number[];
	readonly wentWell: number;
	/** Those that went well soon enough. */
	readonly good: number;
	/** Sent in this second, whenever their calls began. */
	readonly requests: number;
	/** Of them, those that left their zone. */
	readonly across: number;
}

type Growing = {
	-readonly [Name in keyof Second]: Second[Name] extends number
		? number
		: number[];
};

/** Takes down what becomes of calls. */
export class Record {
	readonly #failedMs: number;
	readonly #goodMs: number;
	readonly #seconds: Growing[] = [];

	/** A failed call counts as one of `failedMs`; one that takes no more than `goodMs` is good. */
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

/** Several runs as one of as many times the calls. */
export function merged(runs: readonly (readonly Second[])[]): Second[] {
	const [first = []] = runs;
	return first.map((_, i) => joined(runs.flatMap((run) => run[i] ?? [])));
}

/** Several seconds as one. */
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
	/** Shares of 1. */
	readonly success: number;
	readonly p50: number;
	readonly p99: number;
	readonly p999: number;
	/** Requests sent for each call. */
	readonly load: number;
	/** The share of them that left their zone. */
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

/** Of values that are sorted, by nearest rank. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
	const rank = Math.max(Math.ceil(sorted.length * share), 1);
	return sorted[rank - 1] ?? Number.NaN;
}

/** Requests for each call that began, in the second that had most of them. */
export function peakLoad(seconds: readonly Second[]): number {
	return Math.max(
		...seconds.map(({ requests, latencies }) => requests / latencies.length),
	);
}

/** In a second that is as it should be so large a share of the calls are good. */
const SOUND = 0.99;

/** How many seconds it takes until all that follow are as they should be; Infinity if the last one is not. */
export function recovery(seconds: readonly Second[]): number {
	const last = seconds.findLastIndex(
		({ good, latencies }) => good < SOUND * latencies.length,
	);
	return last === seconds.length - 1 ? Number.POSITIVE_INFINITY : last + 1;
}
