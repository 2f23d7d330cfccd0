import { Backoff } from "../../policy/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import type { ApiAnswer } from "../http-api.ts";
import { Pause } from "../pause.ts";
import type { IndexedQuery } from "./indexed-query.ts";
import { QueryPace } from "./query-pace.ts";

export interface QueryFeedSetting {
	readonly query: Pick<IndexedQuery, "next" | "forget">;
	readonly clock: Clock;
	readonly random: () => number;
	/** Called with each answer. Returns whether it brings a change. What it throws counts as an error of the agent. */
	answered(answer: ApiAnswer, signal: AbortSignal): boolean | Promise<boolean>;
	/** Called with each error that does not end the feed. */
	report(error: Error): void;
}

/** The least time from an error to the next query, even if `hurry` is called. */
const MIN_MS = 1000;
const MAX_BACKOFF_MS = 16_000;

/**
 * Repeats a blocking query, and passes each answer on as soon as it comes. After
 * an error, it tries again after 1 s to 16 s.
 */
export class QueryFeed {
	readonly #setting: QueryFeedSetting;
	readonly #pace: QueryPace;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	readonly #end = new AbortController();

	constructor(setting: QueryFeedSetting) {
		const { clock, random } = setting;
		this.#setting = setting;
		this.#pace = new QueryPace(clock);
		this.#backoff = new Backoff(random, { maxMs: MAX_BACKOFF_MS });
		this.#pause = new Pause(clock);
	}

	/** Resolves with the first answer. Rejects with a DiscoveryError if there is none; then the feed has ended. */
	async start(): Promise<void> {
		void this.#follow(await this.#query());
	}

	/** Does what `start` does, but goes on if there is no first answer. */
	async startAnyway(): Promise<void> {
		void this.#follow(await this.#queryAgain());
	}

	/** Shortens the wait before the next query, because a lost connection elsewhere may mean that something has changed. */
	hurry(): void {
		this.#pause.hurry();
	}

	stop(): void {
		this.#end.abort();
		this.#pause.end();
	}

	async #follow(delayMs: number): Promise<void> {
		const { signal } = this.#end;
		let waitMs = delayMs;
		while (!signal.aborted) {
			await this.#pause.wait(waitMs, Math.min(waitMs, MIN_MS));
			if (!signal.aborted) waitMs = await this.#queryAgain();
		}
	}

	/** Returns the milliseconds until the next query. */
	async #queryAgain(): Promise<number> {
		try {
			return await this.#query();
		} catch (error) {
			this.#setting.query.forget();
			if (!this.#end.signal.aborted) this.#setting.report(error as Error);
			return this.#backoff.next();
		}
	}

	async #query(): Promise<number> {
		const { query, answered } = this.#setting;
		const { signal } = this.#end;
		this.#pace.queried();
		const answer = await query.next(signal);
		this.#pace.answered();
		const changed = await answered(answer, signal);
		this.#backoff.reset();
		return this.#pace.delay(changed);
	}
}
