import { type Clock, systemClock } from "../policy/clock.ts";
import type { Resolution, ResolveContext } from "./resolver.ts";

/** When to look again. */
export interface Pace {
	/** From one look to the next, unless somebody asks before. */
	readonly everyMs: number;
	/** From one look to the next at least, whoever asks. Default 1000. */
	readonly minMs?: number | undefined;
	/** Lets something else than the channel ask; returns how to end that. */
	readonly wake?: ((ask: () => void) => () => void) | undefined;
	readonly clock?: Clock | undefined;
}

export interface Look {
	/** Fires when nobody waits for the answer any more. */
	readonly signal: AbortSignal;
	/** Somebody asked for this look; else it is the first, or it was time. */
	readonly asked: boolean;
}

/** What was seen. */
export interface Sight extends Resolution {
	/** Until the next look, where it is not as the pace says. */
	readonly againInMs?: number | undefined;
}

/**
 * Looks at the world, and again when it is time or when somebody asks, and
 * yields what has changed; the order of the endpoints is no change. A failed
 * look ends it with that error. Ends when the signal fires, even during a look.
 */
export async function* lookAgain(
	context: ResolveContext,
	pace: Pace,
	look: (look: Look) => Promise<Sight>,
): AsyncGenerator<Resolution, void, undefined> {
	const { signal } = context;
	const turns = new Turns(context, pace);
	let last: string | undefined;
	try {
		let turn = turns.begin();
		while (turn !== undefined) {
			const sight = await untilAborted(look({ signal, ...turn }), signal);
			if (sight === undefined) {
				return;
			}
			const { againInMs = pace.everyMs, ...resolution } = sight;
			const print = fingerprint(resolution);
			if (print !== last) {
				last = print;
				yield resolution;
			}
			turn = await turns.next(againInMs);
		}
	} finally {
		turns.end();
	}
}

/** Tells when it is time to look. */
class Turns {
	readonly #context: ResolveContext;
	readonly #clock: Clock;
	readonly #minMs: number;
	readonly #unwake: () => void;
	/** When the newest look began. */
	#began = 0;
	#asked = false;
	/** A refresh has been asked of the channel and has not come yet. */
	#refreshDue = false;
	#rouse: () => void = () => {};

	constructor(context: ResolveContext, pace: Pace) {
		this.#context = context;
		this.#clock = pace.clock ?? systemClock;
		this.#minMs = pace.minMs ?? 1000;
		this.#unwake = pace.wake?.(this.#ask) ?? (() => {});
		context.signal.addEventListener("abort", this.#stop);
	}

	/** Begins a look; undefined when the signal has fired. */
	begin(): { asked: boolean } | undefined {
		if (this.#context.signal.aborted) {
			return undefined;
		}
		const asked = this.#asked;
		this.#began = this.#clock.now();
		this.#asked = false;
		// Before the look: what is asked for during it may be later than what it sees.
		this.#awaitRefresh();
		return { asked };
	}

	/** Waits for the next look and begins it. */
	async next(againInMs: number): Promise<{ asked: boolean } | undefined> {
		while (!this.#context.signal.aborted) {
			const wait = this.#asked ? this.#minMs : Math.max(againInMs, this.#minMs);
			const left = this.#began + wait - this.#clock.now();
			if (left <= 0) {
				break;
			}
			await this.#sleep(left);
		}
		return this.begin();
	}

	end(): void {
		this.#unwake();
		this.#context.signal.removeEventListener("abort", this.#stop);
	}

	/** Until the time is over, somebody asks, or the signal fires. */
	#sleep(ms: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = this.#clock.afterIdle(ms, resolve);
			this.#rouse = () => {
				this.#clock.cancel(timer);
				resolve();
			};
		});
	}

	#awaitRefresh(): void {
		if (this.#refreshDue) {
			return;
		}
		this.#refreshDue = true;
		this.#context.refresh().then(
			() => {
				this.#refreshDue = false;
				this.#ask();
			},
			// A channel that refuses to ask asks for nothing.
			() => {},
		);
	}

	readonly #ask = (): void => {
		this.#asked = true;
		this.#rouse();
	};

	/** At once, as a reader that has lost interest may never come back. */
	readonly #stop = (): void => {
		this.end();
		this.#rouse();
	};
}

/** The promise's value, or undefined as soon as the signal fires. */
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
