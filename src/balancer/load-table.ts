import { Code } from "@connectrpc/connect";
import type { Pick } from "./balancer.ts";
import { decay, peakEwma } from "./peak-ewma.ts";
import { TypicalLatency } from "./typical-latency.ts";

export type Outcome = Parameters<
	NonNullable<Extract<Pick, { kind: "subchannel" }>["ended"]>
>[0];

/** Codes with which calls end when something is wrong with the server rather than with the call. */
const SICK: ReadonlySet<Code> = new Set([
	Code.Unavailable,
	Code.DeadlineExceeded,
	Code.Internal,
	Code.Unknown,
	Code.ResourceExhausted,
]);

/** The highest penalty for failures. With a higher one, an endpoint would never be tried again. */
const MAX_PENALTY = 100;

/** The lowest latency, which is also used when none is known. Then the calls in flight decide. */
const MIN_LATENCY_MS = 0.001;

// The columns of a row, in the order in which a pick reads them.

/** The latency at the time LATENCY_AT, in milliseconds. NaN if it is not known. */
const LATENCY = 0;
const LATENCY_AT = 1;
const IN_FLIGHT = 2;
/** Unary calls in flight. */
const AWAITED = 3;
/** When the first of these started, or when the last one ended. The oldest of them has waited at least since then. */
const SILENT_SINCE = 4;
/** The penalty factor at the time PENALIZED_AT. */
const PENALTY = 5;
const PENALIZED_AT = 6;
const WEIGHT = 7;

const ROW = 8;
const NOBODY: readonly number[] = [Number.NaN, 0, 0, 0, 0, 1, -Infinity, 1];

/** The row for endpoints that have left. Their calls in flight are counted there, and nobody reads it. */
export const GRAVE = 0;

/**
 * What another call to each endpoint of a balancer would cost, judging by earlier calls. Each endpoint has a row.
 *
 * A pick compares two of thousands of endpoints, anywhere in memory. So the numbers for an endpoint are side by side, in one or
 * two cache lines. Objects with boxed numbers would take a dozen.
 */
export class LoadTable {
	#cells = Float64Array.from(NOBODY);
	readonly #free: number[] = [];
	readonly #typical = new TypicalLatency((row, now) =>
		this.#latencyAt(row, now),
	);
	readonly #now: () => number;
	/** The time of the last reading. A call starts right after its pick, and need not read the clock again. */
	#latest = 0;
	#rows = 1;

	constructor(now: () => number) {
		this.#now = now;
	}

	/** Reads the clock, in milliseconds. */
	readClock(): number {
		this.#latest = this.#now();
		return this.#latest;
	}

	join(weight: number): number {
		const row = this.#free.pop() ?? this.#newRow();
		this.#cells.set(NOBODY, row * ROW);
		this.setWeight(row, weight);
		return row;
	}

	leave(row: number): void {
		this.#typical.delete(row);
		this.#free.push(row);
	}

	weight(row: number): number {
		return this.#cells[row * ROW + WEIGHT] as number;
	}

	setWeight(row: number, weight: number): void {
		this.#cells[row * ROW + WEIGHT] = weight;
	}

	/** Returns the cost of another call, for comparison with other endpoints. */
	cost(row: number, now: number, meanWeight: number): number {
		const cells = this.#cells;
		const at = row * ROW;
		const waitedMs =
			(cells[at + AWAITED] as number) > 0
				? now - (cells[at + SILENT_SINCE] as number)
				: 0;
		const latencyMs = Math.max(
			this.#heldAt(row, now) || 0,
			waitedMs,
			MIN_LATENCY_MS,
		);
		const inFlight = cells[at + IN_FLIGHT] as number;
		const share =
			inFlight === 0
				? 0
				: (inFlight * meanWeight) / (cells[at + WEIGHT] as number);
		return latencyMs * this.#penaltyAt(row, now) * (share + 1);
	}

	/** A call has started, right after its pick. */
	started(row: number, isUnary: boolean): void {
		const cells = this.#cells;
		const at = row * ROW;
		(cells[at + IN_FLIGHT] as number) += 1;
		if (!isUnary) return;
		if (cells[at + AWAITED] === 0) cells[at + SILENT_SINCE] = this.#latest;
		(cells[at + AWAITED] as number) += 1;
	}

	ended(row: number, outcome: Outcome, isUnary: boolean): void {
		const cells = this.#cells;
		const at = row * ROW;
		const now = this.readClock();
		(cells[at + IN_FLIGHT] as number) -= 1;
		if (isUnary) {
			(cells[at + AWAITED] as number) -= 1;
			cells[at + SILENT_SINCE] = now;
		}
		const { code, latencyMs, sent } = outcome;
		if (!sent) return;
		const sick = this.#penalizeIfSick(row, outcome, now);
		// How long a stream lasts says nothing about the endpoint.
		if (!isUnary) return;
		const answered = !sick && code !== Code.Canceled;
		// Without an answer, we only know that it would have taken longer.
		if (answered || latencyMs > this.#heldAt(row, now)) {
			this.#took(row, latencyMs, now);
		}
	}

	#newRow(): number {
		const row = this.#rows++;
		if (this.#rows * ROW > this.#cells.length) {
			const grown = new Float64Array(2 * this.#cells.length);
			grown.set(this.#cells);
			this.#cells = grown;
		}
		return row;
	}

	#took(row: number, ms: number, now: number): void {
		const cells = this.#cells;
		const at = row * ROW;
		const held = cells[at + LATENCY] as number;
		if (Number.isNaN(held) && row !== GRAVE) this.#typical.add(row);
		const ageMs = now - (cells[at + LATENCY_AT] as number);
		cells[at + LATENCY] = peakEwma(held, ageMs, ms);
		cells[at + LATENCY_AT] = now;
	}

	/** The latency of the endpoint if it is known, or else the median of the others. NaN if none is known. */
	#heldAt(row: number, now: number): number {
		const own = this.#latencyAt(row, now);
		return Number.isNaN(own) ? this.#typical.at(now) : own;
	}

	#latencyAt(row: number, now: number): number {
		const cells = this.#cells;
		const at = row * ROW;
		return (
			(cells[at + LATENCY] as number) *
			decay(now - (cells[at + LATENCY_AT] as number))
		);
	}

	#penalizeIfSick(
		row: number,
		{ code, latencyMs }: Outcome,
		now: number,
	): boolean {
		if (code === undefined || !SICK.has(code)) return false;
		const cells = this.#cells;
		const at = row * ROW;
		// Calls that were in flight when it was last doubled met the same trouble.
		if (now - latencyMs > (cells[at + PENALIZED_AT] as number)) {
			const doubled = 2 * this.#penaltyAt(row, now);
			cells[at + PENALTY] = Math.min(doubled, MAX_PENALTY);
			cells[at + PENALIZED_AT] = now;
		}
		return true;
	}

	#penaltyAt(row: number, now: number): number {
		const cells = this.#cells;
		const at = row * ROW;
		const penalty = cells[at + PENALTY] as number;
		return penalty === 1
			? 1
			: 1 + (penalty - 1) * decay(now - (cells[at + PENALIZED_AT] as number));
	}
}
