import { type Clock, systemClock } from "../policy/clock.ts";
import type { Resolution, ResolveContext } from "./resolver.ts";

/** When a resolver resolves again. */
export interface ResolvePace {
	/** The time from one turn to the next, if none is requested before. */
	readonly everyMs: number;
	/** The least time from one turn to the next, even if one is requested. Default: 1000. */
	readonly minMs?: number | undefined;
	/** Subscribes another source than the channel that may request turns; returns the function that unsubscribes it. */
	readonly wake?: ((request: () => void) => () => void) | undefined;
	/** Default: the system's clock. */
	readonly clock?: Clock | undefined;
}

/** One turn of the loop. */
export interface ResolveTurn {
	/** Fires when the result is no longer wanted. */
	readonly signal: AbortSignal;
	/** Whether the channel or `wake` requested this turn; false for the first turn and for those that the pace made due. */
	readonly requested: boolean;
}

/** What one turn found. */
export interface ResolveResult extends Resolution {
	/** The time until the next turn, in place of the pace's `everyMs`. */
	readonly nextInMs?: number | undefined;
}

/**
 * The loop of a resolver: calls `resolve` at the start, at the given pace, and
 * when the channel requests a refresh, and yields each result that differs from
 * the one before. The order of the endpoints does not count as a difference. If
 * `resolve` fails, the loop ends with its error. The loop ends when the signal
 * fires, even while `resolve` runs.
 */
export async function* resolveLoop(
	context: ResolveContext,
	pace: ResolvePace,
	resolve: (turn: ResolveTurn) => Promise<ResolveResult>,
): AsyncGenerator<Resolution, void, undefined> {
	const { signal } = context;
	const turns = new Turns(context, pace);
	let last: string | undefined;
	try {
		let turn = turns.begin();
		while (turn !== undefined) {
			const result = await untilAborted(resolve({ signal, ...turn }), signal);
			if (result === undefined) {
				return;
			}
			const { nextInMs = pace.everyMs, ...resolution } = result;
			const print = fingerprint(resolution);
			if (print !== last) {
				last = print;
				yield resolution;
			}
			turn = await turns.next(nextInMs);
		}
	} finally {
		turns.end();
	}
}

/** Decides when the next turn is due. */
class Turns {
	readonly #context: ResolveContext;
	readonly #clock: Clock;
	readonly #minMs: number;
	readonly #unsubscribe: () => void;
	/** When the latest turn began. */
	#began = 0;
	#requested = false;
	/** Whether the promise of `context.refresh()` is still pending. */
	#refreshPending = false;
	#wakeUp: () => void = () => {};

	constructor(context: ResolveContext, pace: ResolvePace) {
		this.#context = context;
		this.#clock = pace.clock ?? systemClock;
		this.#minMs = pace.minMs ?? 1000;
		this.#unsubscribe = pace.wake?.(this.#request) ?? (() => {});
		context.signal.addEventListener("abort", this.#stop);
	}

	/** Begins a turn. Returns undefined if the signal has fired. */
	begin(): { requested: boolean } | undefined {
		if (this.#context.signal.aborted) {
			return undefined;
		}
		const requested = this.#requested;
		this.#began = this.#clock.now();
		this.#requested = false;
		// Before the turn: it may already be too late for a change that causes a request during the turn.
		this.#awaitRefresh();
		return { requested };
	}

	/** Waits until the next turn is due and begins it. */
	async next(nextInMs: number): Promise<{ requested: boolean } | undefined> {
		while (!this.#context.signal.aborted) {
			const wait = this.#requested
				? this.#minMs
				: Math.max(nextInMs, this.#minMs);
			const left = this.#began + wait - this.#clock.now();
			if (left <= 0) {
				break;
			}
			await this.#sleep(left);
		}
		return this.begin();
	}

	end(): void {
		this.#unsubscribe();
		this.#context.signal.removeEventListener("abort", this.#stop);
	}

	/** Resolves when the time has passed, a turn is requested, or the signal fires. */
	#sleep(ms: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = this.#clock.afterIdle(ms, resolve);
			this.#wakeUp = () => {
				this.#clock.cancel(timer);
				resolve();
			};
		});
	}

	#awaitRefresh(): void {
		if (this.#refreshPending) {
			return;
		}
		this.#refreshPending = true;
		this.#context.refresh().then(
			() => {
				this.#refreshPending = false;
				this.#request();
			},
			// A channel whose `refresh` fails requests nothing.
			() => {},
		);
	}

	readonly #request = (): void => {
		this.#requested = true;
		this.#wakeUp();
	};

	/** Cleans up when the signal fires, because the consumer may never call `next` or `return` again. */
	readonly #stop = (): void => {
		this.end();
		this.#wakeUp();
	};
}

/** Resolves with the promise's value, or with undefined as soon as the signal fires. */
function untilAborted<T>(
	promise: Promise<T>,
	signal: AbortSignal,
): Promise<T | undefined> {
	return new Promise((resolve, reject) => {
		const stop = (): void => resolve(undefined);
		signal.addEventListener("abort", stop);
		promise
			.then(resolve, (error: unknown) =>
				signal.aborted ? resolve(undefined) : reject(error),
			)
			.finally(() => signal.removeEventListener("abort", stop));
		if (signal.aborted) {
			stop();
		}
	});
}

function fingerprint({ endpoints, reason, serviceConfig }: Resolution): string {
	const each = endpoints.map((endpoint) => JSON.stringify(endpoint)).sort();
	return JSON.stringify([each, reason?.message, serviceConfig]);
}
