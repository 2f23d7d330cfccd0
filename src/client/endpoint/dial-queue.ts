import type { Clock, Timer } from "../../policy/clock.ts";

/** Who goes first: one that calls wait for, one that has not failed, one whose last attempt failed. */
export type DialRank = "awaited" | "fresh" | "failed";

/** One endpoint that is to be connected to. */
export interface DialWish<T> {
	readonly rank: DialRank;
	/** How many addresses it has: so many may be dialed at the same time. */
	readonly addresses: number;
	/** Dials. Rejects with the signal's reason when that fires. */
	dial(signal: AbortSignal): Promise<T>;
}

/** Addresses of a channel that are being connected to at the same time. */
const MOST = 100;

/** Of these, so many are kept for endpoints that have not failed: those that have may hang. */
const KEPT = MOST / 4;

/** Of so many dials one is that of an endpoint that failed, however many others there are. */
const TURNS = 4;

/** While others wait, an endpoint that has not answered in so many milliseconds makes room, and has another turn behind them. */
const PATIENCE_MS = 1000;

const MADE_ROOM = new Error("made room for other endpoints");

interface Entry {
	rank: DialRank;
	readonly places: number;
	readonly signal: AbortSignal;
	/** Once for each turn; tells whether it wants another. */
	readonly begin: (given: AbortSignal) => Promise<unknown>;
	readonly reject: (reason: unknown) => void;
}

interface Running {
	readonly entry: Entry;
	readonly startedAt: number;
	readonly turn: AbortController;
}

/**
 * Bounds how many connections of a channel are being made at the same time. Those that wait are served in the order in
 * which the balancer wanted them, but calls' own wishes first, and endpoints that failed last: so none that hang keep the
 * others from being tried. One that is not wanted any more, as its signal says, has no turn.
 */
export class DialQueue {
	readonly #clock: Clock;
	readonly #waiting: Record<DialRank, Fifo> = {
		awaited: new Fifo(),
		fresh: new Fifo(),
		failed: new Fifo(),
	};
	/** In the order in which they were begun. */
	readonly #running = new Set<Running>();
	#places = 0;
	#failedPlaces = 0;
	#turns = 0;
	#patience: Timer;
	/** While a call picks: what it has connected, it waits for. */
	calling = false;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Dials when it is its turn; at once, if there is room. `begun` hears when that is. */
	run<T>(
		{ rank, addresses, dial }: DialWish<T>,
		signal: AbortSignal,
		begun: () => void,
	): Promise<T> {
		return new Promise((resolve, reject) => {
			this.#waiting[this.calling ? "awaited" : rank].push({
				rank: this.calling ? "awaited" : rank,
				places: Math.min(Math.max(addresses, 1), MOST),
				signal,
				reject,
				begin: (given) => {
					begun();
					return dial(given).then(resolve, (error: unknown) => {
						if (error !== MADE_ROOM) reject(error);
						else throw error;
					});
				},
			});
			this.#serve();
		});
	}

	#serve(): void {
		for (let next = this.#next(); next !== undefined; next = this.#next()) {
			void this.#run(next);
		}
		this.#armPatience();
	}

	/** Takes it out of the queue; undefined when nobody waits, or there is no room. */
	#next(): Entry | undefined {
		const { awaited, fresh, failed } = this.#waiting;
		const failedFirst = this.#turns % TURNS === TURNS - 1;
		const order = failedFirst
			? [awaited, failed, fresh]
			: [awaited, fresh, failed];
		for (const queue of order) {
			const entry = queue.first;
			if (entry === undefined) continue;
			// One that wants more places than there are is not overtaken by those that want fewer.
			if (this.#places > 0 && this.#places + entry.places > MOST) break;
			if (queue === failed && !this.#mayFail(entry)) continue;
			queue.shift();
			return entry;
		}
		return undefined;
	}

	/** While others wait, those that failed have what else is kept for others. */
	#mayFail({ places }: Entry): boolean {
		const most = this.#waiting.fresh.first === undefined ? MOST - KEPT : KEPT;
		return this.#failedPlaces === 0 || this.#failedPlaces + places <= most;
	}

	async #run(entry: Entry): Promise<void> {
		const { rank, places, signal, begin } = entry;
		const turn = new AbortController();
		const running = { entry, turn, startedAt: this.#clock.now() };
		const giveUp = (): void => turn.abort(signal.reason);
		signal.addEventListener("abort", giveUp, { once: true });
		this.#turns += 1;
		this.#running.add(running);
		this.#places += places;
		if (rank === "failed") this.#failedPlaces += places;
		let again = false;
		try {
			await begin(turn.signal);
		} catch {
			again = true;
		}
		signal.removeEventListener("abort", giveUp);
		this.#running.delete(running);
		this.#places -= places;
		if (rank === "failed") this.#failedPlaces -= places;
		if (again) {
			entry.rank = "failed";
			this.#waiting.failed.push(entry);
		}
		this.#serve();
	}

	/** Until the oldest of those that have not failed before has to make room. */
	#armPatience(): void {
		const { awaited, fresh } = this.#waiting;
		const wanted = awaited.first !== undefined || fresh.first !== undefined;
		if (!wanted) {
			this.#clock.cancel(this.#patience);
			this.#patience = undefined;
			return;
		}
		if (this.#patience !== undefined) return;
		const oldest = this.#oldest();
		if (oldest === undefined) return;
		const waitMs = oldest.startedAt + PATIENCE_MS - this.#clock.now();
		this.#patience = this.#clock.afterIdle(Math.max(waitMs, 0), () => {
			this.#patience = undefined;
			this.#makeRoom();
			this.#armPatience();
		});
	}

	#oldest(): Running | undefined {
		for (const running of this.#running) {
			if (running.entry.rank === "failed" || running.turn.signal.aborted) {
				continue;
			}
			return running;
		}
		return undefined;
	}

	#makeRoom(): void {
		const before = this.#clock.now() - PATIENCE_MS;
		for (const { entry, turn, startedAt } of this.#running) {
			if (startedAt > before) return;
			if (entry.rank !== "failed") turn.abort(MADE_ROOM);
		}
	}
}

/** First in, first out; without those that are not wanted any more. */
class Fifo {
	#entries: (Entry | undefined)[] = [];
	#head = 0;

	get first(): Entry | undefined {
		for (;;) {
			const entry = this.#entries[this.#head];
			if (entry === undefined) return undefined;
			if (!entry.signal.aborted) return entry;
			entry.reject(entry.signal.reason);
			this.shift();
		}
	}

	push(entry: Entry): void {
		this.#entries.push(entry);
	}

	shift(): void {
		this.#entries[this.#head++] = undefined;
		// Half of it is behind us: so each entry is moved once, on average.
		if (this.#head * 2 < this.#entries.length) return;
		this.#entries = this.#entries.slice(this.#head);
		this.#head = 0;
	}
}
